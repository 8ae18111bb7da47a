//! A joiner for somebody whose account is known: nobody gets a second user.

use chrono::TimeDelta;
use serde_json::json;

use super::{ANA, team_lead};
use crate::stage::Stage;

told_on_both! {
    a_joiner_for_somebody_with_an_account_is_a_change_of_it
    a_joiner_for_somebody_who_left_is_a_return
}

async fn a_joiner_for_somebody_with_an_account_is_a_change_of_it(stage: Stage) {
    let first = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&first).await, "succeeded", "{}", stage.reason(&first).await);
    let made = stage.simulator.vault.id_of("zobrien").unwrap();
    let second = stage.taken(stage.joins("RITM-2", json!({ "employment": team_lead() })).await).await;
    assert_eq!(stage.state(&second).await, "pending_approval", "{}", stage.reason(&second).await);
    let page = stage.get(&stage.link(ANA)).await.body;
    assert!(page.contains("Changed access for") && page.contains("no second one is made"), "{page}");
    let mail = stage.simulator.mailbox.mails_to(ANA).pop().unwrap();
    assert!(mail.subject.contains("changed access for"), "{}", mail.subject);
    stage.both_approve().await;
    assert_eq!(stage.rest(&second).await, "succeeded", "{}", stage.reason(&second).await);
    assert_eq!(stage.simulator.vault.id_of("zobrien").unwrap(), made);
    assert_eq!(stage.zobrien()["personalDetails"]["title"], json!("Team Lead"));
    assert_eq!(stage.writes().iter().filter(|what| *what == "create_user").count(), 1);
    stage.check_proof(&[first, second]).await;
}

async fn a_joiner_for_somebody_who_left_is_a_return(stage: Stage) {
    let first = stage.hire_and_approve().await;
    assert_eq!(stage.rest(&first).await, "succeeded", "{}", stage.reason(&first).await);
    let made = stage.simulator.vault.id_of("zobrien").unwrap();
    let leaver = stage.leaves("LEAVE-1", json!({})).await;
    stage.both_approve().await;
    assert_eq!(stage.rest(&leaver).await, "succeeded", "{}", stage.reason(&leaver).await);
    stage.later(TimeDelta::hours(1)).await;
    let writes = stage.writes();
    let second = stage.taken(stage.joins("RITM-2", json!({})).await).await;
    assert_eq!(stage.state(&second).await, "pending_approval", "{}", stage.reason(&second).await);
    let page = stage.get(&stage.asked(ANA)).await.body;
    assert!(
        page.contains("Access once more for") && page.contains("which is disabled: it is enabled again"),
        "{page}"
    );
    assert_eq!(stage.writes(), writes);
    stage.has_nothing_left();
    stage.both_approve().await;
    assert_eq!(stage.rest(&second).await, "succeeded", "{}", stage.reason(&second).await);
    assert_eq!(stage.simulator.vault.id_of("zobrien").unwrap(), made);
    assert_eq!(stage.zobrien()["enableUser"], true);
    assert_eq!(stage.writes().iter().filter(|what| *what == "create_user").count(), 1);
    assert_eq!(stage.writes().last().unwrap(), "enable_user");
    stage.check_proof(&[first, leaver, second]).await;
}
