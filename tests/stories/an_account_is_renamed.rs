//! The vault gives somebody's account another name: it is still theirs, and a person confirms the new name.
//!
//! Must hold: an account is known by its number; a name that has changed is shown beside the one that was known, never
//! taken over without an approval, and remembered by one; a name that is neither is refused as ever.

use countersign::simulator::hr::Joiner;
use serde_json::json;

use crate::stage::{Choices, Stage};

/// Nobody is asked about leavers whose account is known, five an hour.
fn unasked() -> Choices {
    let leavers = "[[rules]]\nname = \"leavers\"\nkinds = [\"leaver\"]\napproval = \"none\"\n[[rules]]\nname = \"the rest\"";
    Choices::edited(&[
        ("[[sources]]\nname = \"hr\"", "[[sources]]\nname = \"hr\"\nunapproved_leavers_per_hour = 5"),
        ("[[rules]]\nname = \"the rest\"", leavers),
    ])
}

told_on_both! {
    with super::unasked();
    a_new_name_is_confirmed_by_an_approval_and_known_from_then_on
    a_protected_name_and_somebody_elses_name_confirm_nothing
}

/// Zoë's account, made by us, is called otherwise now; answers its number.
async fn married(stage: &Stage) -> i64 {
    let joiner: Joiner = stage.joiner();
    let workflow = stage.approved_as(&joiner).await;
    assert_eq!(stage.rest(&workflow).await, "succeeded");
    let id = stage.simulator.vault.id_of("zobrien").unwrap();
    stage.simulator.vault.patch_user(id, &json!({ "username": "zsmith" })).unwrap();
    id
}

async fn a_new_name_is_confirmed_by_an_approval_and_known_from_then_on(stage: Stage) {
    let id = married(&stage).await;
    // HR knows her by one name or the other, or by none.
    let mut asked = String::new();
    for (round, subject) in
        [json!({ "username": "zobrien" }), json!({ "username": "zsmith" }), json!({})].into_iter().enumerate()
    {
        asked = stage.leaves(&format!("ASKED-{round}"), json!({ "subject": subject })).await;
        assert_eq!(stage.state(&asked).await, "pending_approval", "{}", stage.reason(&asked).await);
    }
    let page = stage.get(&stage.link("ana@example.com")).await.body;
    let words =
        format!("user number {id} in vault, is known as zobrien here and now called zsmith in the vault");
    assert!(page.contains(&words), "{page}");
    assert!(page.contains("Take zsmith out of the group"), "{page}");
    let names = "select user_name from person_links";
    assert_eq!(stage.database.texts(stage.folder.path(), names).await, ["zobrien"]);

    stage.both_approve().await;
    assert_eq!(stage.rest(&asked).await, "succeeded", "{}", stage.reason(&asked).await);
    let user = stage.simulator.vault.user("zsmith").unwrap();
    assert_eq!((&user["enableUser"], &user["groupsMembership"]), (&json!(false), &json!([])));
    assert_eq!(stage.database.texts(stage.folder.path(), names).await, ["zsmith"]);
    let last = stage.leaves("KNOWN", json!({ "subject": {} })).await;
    assert_eq!(stage.rest(&last).await, "succeeded", "a name that is confirmed is known: nobody is asked");
    let told = stage.trail(&asked).await;
    let linked = told.iter().find(|event| event["kind"] == "person.linked").expect("the new name is told");
    assert_eq!(
        (&linked["facts"]["user_id"], &linked["facts"]["confirmed_by"]),
        (&json!(id), &json!("approval"))
    );
    assert_eq!(
        (&linked["personal"]["known_as"], &linked["personal"]["user_name"]),
        (&json!("zobrien"), &json!("zsmith"))
    );
    stage.check_proof(&[last]).await;
}

async fn a_protected_name_and_somebody_elses_name_confirm_nothing(stage: Stage) {
    let id = married(&stage).await;
    let other = stage.leaves("OTHER", json!({ "subject": { "username": "mkeller" } })).await;
    assert_eq!(stage.state(&other).await, "needs_attention");
    assert!(stage.reason(&other).await.contains("this person is linked to zobrien"));
    stage.simulator.vault.patch_user(id, &json!({ "username": "svc-payroll" })).unwrap();
    let protected = stage.leaves("PROTECTED", json!({ "subject": {} })).await;
    assert_eq!(stage.state(&protected).await, "needs_attention");
    assert!(stage.reason(&protected).await.contains("svc-payroll is protected"));
    let trail = stage.trail(&protected).await;
    assert!(trail.iter().any(|event| event["kind"] == "account.protected"), "{trail:#?}");
    let names = stage.database.texts(stage.folder.path(), "select user_name from person_links").await;
    assert_eq!(names, ["zobrien"]);
}
