//! A message is refused for what it sets; later, when it may set that, it turns out to contradict what was taken in.

use countersign::audit;
use serde_json::json;

use crate::stage::Stage;

told_on_both! {
    the_operators_hear_of_a_conflict_although_the_same_bytes_were_refused_before
}

async fn the_operators_hear_of_a_conflict_although_the_same_bytes_were_refused_before(mut stage: Stage) {
    let allowed = "may_set = [\"employment.manager.email\", \"account.description\", ";
    let forbidden = "may_set = [\"employment.manager.email\", ";
    stage.choices.edits.push((allowed.to_owned(), forbidden.to_owned()));
    let mut stage = stage.restart().await;
    let mut joiner = stage.joiner();
    joiner.account = Some(json!({ "description": "Night shift" }));
    let body = joiner.bytes();
    assert_eq!(stage.post("msg_1", &body).await.status, 422);
    joiner.account = None;
    assert_eq!(stage.post("msg_2", &joiner.bytes()).await.status, 202);
    stage.settle().await;
    assert_eq!(alarms(&stage), 0, "a body that a source may not send is the source's own matter");
    stage.choices.edits.clear();
    let stage = stage.restart().await;
    for id in ["msg_3", "msg_4"] {
        let answer = stage.post(id, &body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (422, &json!("source_ref_reused")));
    }
    stage.settle().await;
    assert_eq!(alarms(&stage), 1, "one alarm, however often it is sent");
    let kit = &stage.service.kit;
    let verdict = audit::verify(&kit.store, &kit.keys, None).await.unwrap();
    assert!(verdict.is_sound(), "{:#?}", verdict.faults);
}

fn alarms(stage: &Stage) -> usize {
    let mails = stage.simulator.mailbox.mails_to("pam-team@example.com");
    mails.iter().filter(|mail| mail.subject.starts_with("Alarm")).count()
}
