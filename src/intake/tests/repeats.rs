//! The same event, once more and many times.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_copies_over_fifty_connections_make_one_workflow() {
    let stage = std::sync::Arc::new(Stage::start(routes).await);
    let body = joiner("a-1").to_string();
    let senders: Vec<_> = (0..50)
        .map(|_| {
            let (stage, body) = (std::sync::Arc::clone(&stage), body.clone());
            tokio::spawn(async move {
                // A client has connections of its own.
                let client = reqwest::Client::builder().no_proxy().build().unwrap();
                let mut answers = Vec::new();
                for _ in 0..4 {
                    let (_, request) = stage.webhook("msg_1", body.clone()).build_split();
                    let request = reqwest::RequestBuilder::from_parts(client.clone(), request.unwrap());
                    answers.push(told(request).await);
                }
                answers
            })
        })
        .collect();
    let mut answers = Vec::new();
    for sender in senders {
        answers.extend(sender.await.unwrap());
    }
    let first: Vec<_> = answers.iter().filter(|(status, _)| *status == 202).collect();
    assert_eq!((first.len(), answers.len()), (1, 200));
    let id = id_of(&first[0].1);
    for (status, answer) in &answers {
        assert_eq!(id_of(answer), id);
        assert_eq!(answer["duplicate"], json!(*status == 200));
    }
    assert_eq!((workflow_count(&stage).await, events(&stage).await), (1, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_known_by_its_meaning_and_not_by_its_bytes() {
    let stage = Stage::start(routes).await;
    let first = told(stage.webhook("msg_1", joiner("a-1").to_string())).await;
    let pretty = serde_json::to_string_pretty(&joiner("a-1")).unwrap();
    for id in ["msg_1", "msg_2"] {
        let (status, again) = told(stage.webhook(id, pretty.clone())).await;
        assert_eq!((status, &again["workflow_id"]), (200, &first.1["workflow_id"]), "{id}");
        assert_eq!(again["duplicate"], true);
    }
    assert_eq!(workflow_count(&stage).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_taken_in_is_known_again_although_time_has_passed() {
    let stage = Stage::start(routes).await;
    let mut body = joiner("a-1");
    body["account"] = json!({"expires_at": "2026-12-31"});
    let first = told(stage.webhook("msg_1", body.to_string())).await;
    assert_eq!(first.0, 202);
    stage.pass(60 * 86_400);
    let (status, again) = told(stage.webhook("msg_1", body.to_string())).await;
    assert_eq!((status, &again["workflow_id"]), (200, &first.1["workflow_id"]));
    body["source_ref"] = json!("a-2");
    let (status, other) = told(stage.webhook("msg_2", body.to_string())).await;
    assert_eq!((status, &other["errors"][0]["code"]), (422, &json!("past")));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_meaning_under_an_old_name_is_refused_with_one_alarm() {
    let stage = Stage::start(routes).await;
    assert_eq!(told(stage.webhook("msg_1", joiner("a-1").to_string())).await.0, 202);
    let mut other = joiner("a-1");
    other["reason"] = json!("Something else");
    for id in ["msg_2", "msg_3", "msg_2"] {
        let (status, problem) = told(stage.webhook(id, other.to_string())).await;
        assert_eq!((status, &problem["code"]), (422, &json!("source_ref_reused")));
        assert_eq!(problem["errors"][0]["pointer"], "/source_ref");
    }
    assert_eq!((workflow_count(&stage).await, owed(&stage).await), (1, 1));
    let (status, problem) = told(stage.webhook("msg_1", joiner("a-2").to_string())).await;
    assert_eq!((status, &problem["code"]), (422, &json!("delivery_id_reused")));
    assert_eq!((workflow_count(&stage).await, owed(&stage).await), (1, 2));
    // A refused delivery has taken no key: mended, it is taken in.
    assert_eq!(told(stage.webhook("msg_2", joiner("a-2").to_string())).await.0, 202);
}
