//! Groups that the settings call privileged: a link alone is too weak for them, and more people are asked.
//!
//! Must hold: nobody comes into such a group unless everybody who was asked had signed in and somebody of its own stage,
//! who had not said yes before, has agreed; whoever has it already keeps or loses it as ever; what the settings say at
//! the time of writing counts.

use countersign::simulator::faults::{Effect, Fault, Moment};
use serde_json::json;

use crate::an_approver_decides::assert_undecided;
use crate::somebody_signs_in::assert_tells_nothing;
use crate::stage::{Choices, Dialect, FOREIGN, FORMER, Stage};

told_on_both! {
    with crate::privileged_groups_want_more::owning("LINUX admins");
    a_link_alone_shows_nothing_and_decides_nothing
    whoever_said_yes_before_does_not_count_again
    a_plan_that_is_made_again_is_asked_about_in_the_same_way
    somebody_moves_into_a_privileged_group
    too_few_people_for_both_end_at_a_person
}

mod once_the_vault_has_it {
    use super::*;

    told_on_both! {
        with crate::privileged_groups_want_more::owning("ops-READERS");
        who_has_the_group_already_moves_as_ever
    }
}

mod after_the_asking {
    use super::*;

    told_on_both! {
        a_group_made_privileged_before_the_run_voids_the_approval
        a_group_made_privileged_before_the_yes_voids_the_asking
        a_group_made_privileged_in_the_midst_of_a_run_stops_it
    }
}

const ANA: &str = "ana@example.com";
const BO: &str = "bo@example.com";
const CY: &str = "cy@example.com";

/// The lines that make a group privileged; Ana may say yes for either of two stages.
fn lines(group: &str) -> [(String, String); 2] {
    let patterns = "protected_users = [\"svc-*\", \"breakglass*\"]";
    let stage = "privileged_stage = { ask = [\"group:pam-owners\"], quorum = 1 }";
    let owners = format!("[[approver_groups]]\nname = \"pam-owners\"\nmembers = [\"{ANA}\", \"{CY}\"]");
    [
        (patterns.to_owned(), format!("{patterns}\nprivileged_groups = [\"{group}\"]\n{stage}")),
        ("[[profiles]]".to_owned(), format!("{owners}\n[[profiles]]")),
    ]
}

pub(crate) fn owning(group: &str) -> Choices {
    let mut choices = Choices::with_former_group(Dialect::Product);
    choices.edits.extend(lines(group));
    choices
}

/// Signs in behind the newest link of somebody and presses a button there.
async fn decides(stage: &Stage, who: &str, decision: &str) -> u16 {
    let (visitor, link) = (stage.visitor(), stage.link(who));
    visitor.sign_in(&link, who).await;
    let status = visitor.decide(&link, decision).await.status;
    stage.settle().await;
    status
}

/// How often somebody was asked.
fn asked(stage: &Stage, who: &str) -> usize {
    let mails = stage.simulator.mailbox.mails_to(who);
    mails.iter().filter(|mail| mail.subject.starts_with("Your approval is wanted: ")).count()
}

fn no_mail_names_a_group(stage: &Stage) {
    for mail in stage.simulator.mailbox.mails() {
        let text = mail.everything().to_lowercase();
        for group in ["linux admins", "ops-readers", "linux=20admins"] {
            assert!(!text.contains(group), "{group} in {text}");
        }
    }
}

async fn a_link_alone_shows_nothing_and_decides_nothing(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link(ANA);
    let ana = stage.visitor();
    let closed = ana.open(&link).await;
    assert_eq!((closed.status, closed.asks()), (200, false));
    assert!(closed.body.contains("Mail me a code"), "{}", closed.body);
    assert_tells_nothing(&closed.body.replace("Linux Admins", "zobrien"), &workflow);
    ana.sign_in(&link, ANA).await;
    let page = ana.open(&link).await.body;
    for told in [
        "brings somebody into the privileged group “Linux Admins”",
        "because of the privileged group “Linux Admins”",
        "Stage 2: <bdi>group pam-owners</bdi>",
        "Your yes is recorded, and the next stage is asked: cy@example.com.",
    ] {
        assert!(page.contains(told), "{told} in {page}");
    }
    // The same form without the sign-in.
    let hidden = |name: &str| {
        page.split_once(&format!("name=\"{name}\" value=\"")).unwrap().1.split_once('"').unwrap().0.to_owned()
    };
    let (digest, token) = (hidden("digest"), hidden("form_token"));
    let fields = [("decision", "approve"), ("comment", ""), ("digest", &*digest), ("form_token", &*token)];
    let refused = stage.visitor().post(&format!("{link}/decision"), &fields).await;
    assert_eq!(refused.status, 403, "{}", refused.body);
    assert_tells_nothing(&refused.body, &workflow);
    assert_undecided(&stage, &workflow).await;

    assert_eq!(ana.decide(&link, "approve").await.status, 303);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    assert!(stage.writes().is_empty());
    // The second stage is no more open to a link than the first.
    let closed = stage.open(&stage.link(CY)).await;
    assert!(closed.body.contains("Mail me a code") && !closed.asks(), "{}", closed.body);
    assert_eq!(decides(&stage, CY, "approve").await, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert!(stage.her_groups().contains(&"Linux Admins".to_owned()));

    let trail = stage.trail(&workflow).await;
    let of_kind = |kind: &str| trail.iter().filter(|event| event["kind"] == kind).collect::<Vec<_>>();
    let planned = &of_kind("workflow.planned")[0]["facts"];
    assert_eq!(
        (&planned["privileged_groups"], &planned["privileged_stage"], &planned["sign_in"]),
        (&json!("Linux Admins"), &json!(1), &json!("code"))
    );
    let proofs: Vec<_> =
        of_kind("decision.recorded").iter().map(|event| event["facts"]["sign_in"].clone()).collect();
    assert_eq!(proofs, ["code", "code"]);
    no_mail_names_a_group(&stage);
    stage.check(&workflow).await;
}

async fn whoever_said_yes_before_does_not_count_again(stage: Stage) {
    let workflow = stage.hire_another(1).await;
    assert_eq!(decides(&stage, ANA, "approve").await, 303);
    // Ana is of both stages, and is not asked a second time.
    assert_eq!((asked(&stage, ANA), asked(&stage, CY)), (1, 1));
    let (ana, link) = (stage.visitor(), stage.link(ANA));
    ana.sign_in(&link, ANA).await;
    let page = ana.open(&link).await;
    assert!(!page.asks() && page.body.contains("Your answer stands"), "{}", page.body);
    let (cy, link) = (stage.visitor(), stage.link(CY));
    cy.sign_in(&link, CY).await;
    let page = cy.open(&link).await.body;
    assert!(page.contains("said yes in an earlier stage, so it is somebody else’s turn"), "{page}");
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    assert_eq!(cy.decide(&link, "approve").await.status, 303);
    assert_eq!(stage.state(&workflow).await, "approved");

    // Who has not said yes in the first stage may in the second.
    let workflow = stage.hire_another(2).await;
    assert_eq!(decides(&stage, BO, "approve").await, 303);
    assert_eq!((asked(&stage, ANA), asked(&stage, CY)), (3, 2));
    assert_eq!(decides(&stage, ANA, "approve").await, 303);
    assert_eq!(stage.state(&workflow).await, "approved");

    // And a no ends it there, too.
    let workflow = stage.hire_another(3).await;
    assert_eq!(decides(&stage, BO, "approve").await, 303);
    assert_eq!(decides(&stage, CY, "reject").await, 303);
    assert_eq!(stage.state(&workflow).await, "rejected");
    assert!(stage.writes().is_empty());
}

async fn a_plan_that_is_made_again_is_asked_about_in_the_same_way(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    assert_eq!(decides(&stage, ANA, "approve").await, 303);
    stage.make_group_anew("Linux Admins");
    // Cy's yes finds the group changed: the plan is made again, and Ana's yes was for the old one.
    assert_eq!(decides(&stage, CY, "approve").await, 409);
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    assert!(!stage.open(&stage.link(BO)).await.asks());
    assert_eq!(decides(&stage, BO, "approve").await, 303);
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    assert_eq!(decides(&stage, ANA, "approve").await, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.check(&workflow).await;
}

async fn somebody_moves_into_a_privileged_group(stage: Stage) {
    stage.somebody();
    let workflow = stage.moves("MOVE-1").await;
    assert!(!stage.open(&stage.link(BO)).await.asks());
    for who in [ANA, BO] {
        assert_eq!(decides(&stage, who, "approve").await, 303);
        assert_eq!(stage.state(&workflow).await, "pending_approval");
    }
    assert_eq!(decides(&stage, CY, "approve").await, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert!(stage.her_groups().contains(&"Linux Admins".to_owned()));
    // To lose it again nobody needs more than ever.
    let parts =
        json!({ "employment": { "department": "IT Ops" }, "account": { "groups_remove": ["Linux Admins"] } });
    let answer = stage.told("mover", "MOVE-2", parts).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    stage.both_approve().await;
    let workflow = answer.workflow();
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    assert!(!stage.her_groups().contains(&"Linux Admins".to_owned()));
    // By name it comes no easier than by a profile.
    let parts =
        json!({ "employment": { "department": "IT Ops" }, "account": { "groups_add": ["linux ADMINS"] } });
    let answer = stage.told("mover", "MOVE-3", parts).await;
    assert_eq!(answer.status, 202, "{}", answer.body);
    stage.settle().await;
    assert!(!stage.open(&stage.link(ANA)).await.asks());
    stage.check_proof(&[workflow]).await;
}

async fn who_has_the_group_already_moves_as_ever(stage: Stage) {
    stage.somebody();
    let workflow = stage.moves("MOVE-1").await;
    let page = stage.open(&stage.link(ANA)).await;
    assert!(page.asks() && !page.body.contains("privileged"), "{}", page.body);
    stage.both_approve().await;
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    let mut groups = stage.her_groups();
    groups.sort();
    assert_eq!(groups, [FOREIGN, "Linux Admins", "Ops-Readers"]);
    assert!(!groups.contains(&FORMER.to_owned()));
}

/// Ana may have said yes under any rule, and Cy asks for it: nobody is left.
async fn too_few_people_for_both_end_at_a_person(stage: Stage) {
    let workflow = stage
        .hire_told(|body| {
            body["ticket"] =
                json!({ "system": "servicenow", "id": "R1", "requested_by": "Cy+pam@example.com" });
        })
        .await;
    assert_eq!(stage.state(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("the privileged_stage of the target"), "{reason}");
    assert_eq!((asked(&stage, ANA), asked(&stage, BO)), (0, 0));
    assert!(stage.writes().is_empty());
}

/// The same service with other settings: this group is privileged from now on.
async fn begun_anew(mut stage: Stage, group: &str) -> Stage {
    stage.choices.edits.extend(lines(group));
    stage.restart().await
}

async fn a_group_made_privileged_before_the_run_voids_the_approval(stage: Stage) {
    let workflow = stage.approved().await;
    let stage = begun_anew(stage, "LINUX admins").await;
    assert_eq!(stage.rest(&workflow).await, "pending_approval", "{}", stage.reason(&workflow).await);
    assert!(stage.writes().is_empty());
    // Both are asked anew, and a link alone is not enough any more.
    let (ana, link) = (stage.visitor(), stage.link(ANA));
    assert!(!ana.open(&link).await.asks());
    ana.sign_in(&link, ANA).await;
    let page = ana.open(&link).await.body;
    for told in
        ["What is new since plan 1", "the group Linux Admins, by our own settings", "one more stage is asked"]
    {
        assert!(page.contains(told), "{told} in {page}");
    }
    assert_eq!(ana.decide(&link, "approve").await.status, 303);
    stage.settle().await;
    assert!(stage.writes().is_empty());
    assert_eq!(decides(&stage, CY, "approve").await, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    no_mail_names_a_group(&stage);
    stage.check(&workflow).await;
}

async fn a_group_made_privileged_before_the_yes_voids_the_asking(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let old = stage.link(ANA);
    let stage = begun_anew(stage, "Linux Admins").await;
    let old = stage.moved(&old);
    let answer = stage.decide(&old, "approve", "").await;
    assert_eq!(answer.status, 409);
    for told in
        ["Our settings have changed", "Your answer was not recorded", "privileged: one more stage is asked"]
    {
        assert!(answer.body.contains(told), "{told} in {}", answer.body);
    }
    assert_eq!(stage.decisions().await, 0);
    stage.settle().await;
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    let replaced = stage.open(&old).await;
    assert!(replaced.body.contains("This plan was replaced") && !replaced.asks(), "{}", replaced.body);
    assert!(!stage.open(&stage.link(ANA)).await.asks());
    assert_eq!(decides(&stage, BO, "approve").await, 303);
    assert_eq!(decides(&stage, ANA, "approve").await, 303);
    assert_eq!(stage.rest(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.check(&workflow).await;
}

async fn a_group_made_privileged_in_the_midst_of_a_run_stops_it(stage: Stage) {
    let workflow = stage.approved().await;
    let refusal = json!({ "ErrorCode": "PASWS041E", "ErrorMessage": "not now" });
    let effect =
        Effect::Status { status: 403, body: Some(refusal), retry_after: None, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("POST", "/Members", 1, effect));
    assert_eq!(stage.rest(&workflow).await, "needs_attention");
    assert_eq!(stage.writes(), ["create_user"]);
    let stage = begun_anew(stage, "LINUX admins").await;
    assert_eq!(stage.retry(&workflow).await, "needs_attention");
    let reason = stage.reason(&workflow).await;
    assert!(reason.contains("the group Linux Admins is privileged now"), "{reason}");
    assert_eq!(stage.writes(), ["create_user"]);
    no_mail_names_a_group(&stage);
    stage.check(&workflow).await;
    // Under the settings of the approval it goes on.
    let mut stage = stage;
    stage.choices.edits.clear();
    let stage = stage.restart().await;
    assert_eq!(stage.retry(&workflow).await, "succeeded", "{}", stage.reason(&workflow).await);
    stage.check(&workflow).await;
}
