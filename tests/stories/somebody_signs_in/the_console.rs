//! The general way in, for people with a role: the same answer for everybody, and a way back to our own pages alone.

use serde_json::json;

use crate::stage::{Choices, ONE_OF_THE_GROUP, Stage, Whole};

told_on_both! {
    with crate::stage::Choices::with_codes();
    somebody_with_a_role_signs_in_and_goes_where_they_wanted
    the_answer_does_not_tell_who_is_known
    the_way_back_leads_nowhere_else
    who_types_an_address_does_not_lock_its_owner_out
    what_a_stranger_says_of_his_address_counts_for_nothing
    an_address_with_another_tag_has_no_role
}

async fn ask(visitor: &crate::stage::Visitor<'_>, address: &str, to: &str) -> Whole {
    let url = format!("{}/sign-in/code", visitor.stage.url);
    let answer = visitor.post(&url, &[("address", address), ("to", to)]).await;
    visitor.stage.settle().await;
    answer
}

async fn somebody_with_a_role_signs_in_and_goes_where_they_wanted(stage: Stage) {
    let olga = stage.visitor();
    let url = format!("{}/sign-in", stage.url);
    let page = olga.open(&format!("{url}?to=/workflows")).await.body;
    assert!(page.contains("autocomplete=\"email\"") && page.contains("value=\"/workflows\""), "{page}");
    let asked = ask(&olga, "Olga@example.com", "/workflows").await;
    assert_eq!((asked.status, asked.header("location")), (303, "/sign-in?to=%2Fworkflows"));
    let page = olga.open(&format!("{}{}", stage.url, asked.header("location"))).await.body;
    assert!(page.contains("autocomplete=\"one-time-code\""), "{page}");
    // It goes to the address as the settings spell it.
    let code = stage.code("olga@example.com");
    let entered = olga.post(&url, &[("code", &code), ("to", "/workflows")]).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/workflows"));
    let page = olga.open(&url).await.body;
    assert!(page.contains("You are signed in") && page.contains("an operator"), "{page}");
    let vic = stage.visitor();
    ask(&vic, "vic@example.com", "").await;
    let entered = vic.post(&url, &[("code", &stage.code("vic@example.com"))]).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/sign-in"));
    assert!(vic.open(&url).await.body.contains("a viewer"));
    // A sign-in that is about no workflow has a chain of its own.
    let signed_in = stage.count("select count(*) from audit_events where kind = 'sign_in.done'").await;
    assert_eq!(signed_in, 2);
    stage.check_proof(&[]).await;
}

async fn the_answer_does_not_tell_who_is_known(stage: Stage) {
    let url = format!("{}/sign-in", stage.url);
    let (known, unknown) = (stage.visitor(), stage.visitor());
    for (to_known, to_unknown) in [
        (ask(&known, "olga@example.com", "").await, ask(&unknown, "nobody@example.com", "").await),
        (known.open(&url).await, unknown.open(&url).await),
        (known.post(&url, &[("code", "000000")]).await, unknown.post(&url, &[("code", "000000")]).await),
        (ask(&known, "", "").await, ask(&unknown, "", "").await),
    ] {
        assert_eq!((to_known.status, &to_known.body), (to_unknown.status, &to_unknown.body));
        let names = |answer: &Whole| {
            answer.headers.keys().map(ToString::to_string).collect::<std::collections::BTreeSet<_>>()
        };
        assert_eq!(names(&to_known), names(&to_unknown));
    }
    assert_eq!(
        (stage.codes("olga@example.com"), stage.simulator.mailbox.mails_to("nobody@example.com").len()),
        (1, 0)
    );
    // The fifth wrong code ends both, and both are bounded alike.
    for (known_now, unknown_now) in [(422, 422); 4] {
        let said = [&known, &unknown].map(|visitor| visitor.post(&url, &[("code", "000000")]));
        let [to_known, to_unknown] = said;
        let (to_known, to_unknown) = (to_known.await, to_unknown.await);
        assert_eq!((to_known.status, to_unknown.status), (known_now, unknown_now));
        assert_eq!(to_known.body, to_unknown.body);
    }
    for _ in 0..4 {
        let (fresh, other) = (stage.visitor(), stage.visitor());
        assert_eq!(ask(&fresh, "olga@example.com", "").await.status, 303);
        assert_eq!(ask(&other, "nobody@example.com", "").await.status, 303);
    }
    let (to_known, to_unknown) = (
        ask(&stage.visitor(), "olga@example.com", "").await,
        ask(&stage.visitor(), "nobody@example.com", "").await,
    );
    assert_eq!((to_known.status, to_unknown.status), (429, 429));
}

async fn the_way_back_leads_nowhere_else(stage: Stage) {
    let url = format!("{}/sign-in", stage.url);
    let olga = stage.visitor();
    for foreign in ["//evil.example", "https://evil.example/x", "/\\evil.example", "/.//evil.example"] {
        let page = olga.open(&format!("{url}?to={foreign}")).await;
        assert!(page.status == 200 && !page.body.contains("evil"), "{}", page.body);
    }
    let asked = ask(&olga, "olga@example.com", "//evil.example").await;
    assert_eq!((asked.status, asked.header("location")), (303, "/sign-in"));
    let code = stage.code("olga@example.com");
    let entered = olga.post(&url, &[("code", &code), ("to", "//evil.example/x")]).await;
    assert_eq!((entered.status, entered.header("location")), (303, "/sign-in"));
}

/// The same stage behind a proxy that says whom it asks for.
async fn behind_a_proxy(stage: &Stage) -> Stage {
    let mut choices = Choices::with_codes();
    choices.edits.push(("[http]".to_owned(), "[http]\ntrusted_proxies = [\"127.0.0.1\"]".to_owned()));
    Stage::with(stage.database.another(), choices).await
}

async fn who_types_an_address_does_not_lock_its_owner_out(stage: Stage) {
    let stage = behind_a_proxy(&stage).await;
    stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    // A stranger types three addresses, each time from a fresh browser, until there is no more for him; what he is
    // told is the same for the one that nobody knows.
    for asked in 1..=7 {
        let expected = if asked <= 5 { 303 } else { 429 };
        for address in ["olga@example.com", "ana@example.com", "nobody@example.com"] {
            let answer = stage.visitor().types(address, "203.0.113.7").await;
            assert_eq!(answer.status, expected, "{address}, {asked}");
        }
    }
    assert_eq!(stage.codes("olga@example.com"), 5);
    // Ana has no role and was mailed nothing; the link in her own mail opens all the same.
    assert_eq!(stage.codes("ana@example.com"), 0);
    let ana = stage.visitor();
    ana.sign_in(&link, "ana@example.com").await;
    assert!(ana.open(&link).await.asks());
    // Olga gets her code, and nobody who asks after her takes it away.
    let (olga, url) = (stage.visitor(), format!("{}/sign-in", stage.url));
    assert_eq!(olga.types("olga@example.com", "198.51.100.1").await.status, 303);
    let code = stage.code("olga@example.com");
    assert_eq!(stage.visitor().types("olga@example.com", "203.0.113.8").await.status, 303);
    assert_eq!(olga.post(&url, &[("code", &code)]).await.status, 303);
    assert!(olga.open(&url).await.body.contains("You are signed in"));
    // However many clients ask, one mailbox is not flooded, and whoever asks learns nothing by it.
    for address in ["olga@example.com", "nobody@example.com"] {
        let mut taken = 0;
        for client in 1..=30 {
            let answer = stage.visitor().types(address, &format!("192.0.2.{client}")).await;
            taken += usize::from(answer.status == 303);
        }
        assert_eq!(taken, if address == "olga@example.com" { 20 - 7 } else { 20 - 5 });
    }
    assert_eq!(stage.codes("olga@example.com"), 20);
    stage.clock.advance(chrono::TimeDelta::hours(1));
    assert_eq!(stage.visitor().types("olga@example.com", "192.0.2.1").await.status, 303);
    stage.check_proof(&[]).await;
}

async fn what_a_stranger_says_of_his_address_counts_for_nothing(stage: Stage) {
    let statuses = async |stage: &Stage, forwarded: &str| {
        let mut statuses = Vec::new();
        for number in 1..=6 {
            let client = forwarded.replace("{n}", &number.to_string());
            statuses.push(stage.visitor().types("olga@example.com", &client).await.status);
        }
        statuses
    };
    let bounded = [303, 303, 303, 303, 303, 429];
    assert_eq!(statuses(&stage, "192.0.2.{n}").await, bounded, "no proxy is trusted");
    let stage = behind_a_proxy(&stage).await;
    assert_eq!(
        statuses(&stage, "192.0.2.{n}, 203.0.113.7").await,
        bounded,
        "the proxy has added the last one"
    );
    assert_eq!(statuses(&stage, "192.0.2.{n}").await, [303; 6]);
}

/// That whoever reads olga+x also reads olga is a custom of some mail servers, and no proof.
async fn an_address_with_another_tag_has_no_role(stage: Stage) {
    let url = format!("{}/sign-in", stage.url);
    let tagged = stage.visitor();
    assert_eq!(ask(&tagged, "olga+x@example.com", "/workflows").await.status, 303);
    for address in ["olga+x@example.com", "olga@example.com"] {
        assert_eq!(stage.simulator.mailbox.mails_to(address).len(), 0, "{address}");
    }
    assert_eq!(tagged.post(&url, &[("code", "000000"), ("to", "/workflows")]).await.status, 422);
    // HR calls her by such an address: she is asked there as the manager, and is no operator for that.
    let asks_manager = [(
        ONE_OF_THE_GROUP.to_owned(),
        "stages = [{ ask = [\"manager\", \"group:pam-admins\"], quorum = 1 }]".to_owned(),
    )];
    let mut stage = stage;
    stage.choices.edits.extend(asks_manager);
    let stage = stage.restart().await;
    let workflow = stage
        .hire_told(|body| {
            body["employment"]["manager"] = json!({ "email": "olga+hr@example.com" });
        })
        .await;
    let link = stage.link("olga+hr@example.com");
    let manager = stage.visitor();
    manager.sign_in(&link, "olga+hr@example.com").await;
    assert!(manager.open(&link).await.asks());
    // On the machine itself anybody may look; signed in to the console is nobody.
    let looks = manager.open(&format!("{}/workflows", stage.url)).await;
    assert!(looks.body.contains(">Sign in</a>") && !looks.body.contains("olga"), "{}", looks.body);
    // And the plain address is not the one that was asked.
    let olga = stage.visitor();
    assert_eq!(ask(&olga, "olga@example.com", "/workflows").await.status, 303);
    let entered =
        olga.post(&format!("{}/sign-in", stage.url), &[("code", &stage.code("olga@example.com"))]).await;
    assert_eq!(entered.status, 303, "{}", entered.body);
    assert_eq!(olga.open(&link).await.status, 403);
    assert_eq!(stage.state(&workflow).await, "pending_approval");
    // A manager's address never takes the place of one that the settings name.
    let other = stage
        .hire_told(|body| {
            body["source_ref"] = json!("RITM-TAGGED");
            body["person_ref"] = json!("E2");
            body["subject"]["username"] = json!("mkeller2");
            body["employment"]["manager"] = json!({ "email": "ana+hr@example.com" });
        })
        .await;
    assert!(stage.simulator.mailbox.links_for("ana+hr@example.com").is_empty());
    assert_eq!(stage.state(&other).await, "pending_approval");
}
