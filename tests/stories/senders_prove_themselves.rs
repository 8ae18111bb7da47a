//! Products that sign in their own way, and senders that only show a secret.
//!
//! Must hold: what cannot be proven gets one answer and leaves nothing; a name that the signature does not cover makes
//! no new event out of an old body.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use countersign::domain::canon::Digest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use crate::stage::{Answer, Choices, Stage};

told_on_both! {
    a_product_signs_in_its_own_way
    an_old_body_under_a_new_unsigned_name_makes_nothing
    a_signed_name_stands_for_one_event
    what_is_not_proven_gets_one_answer_and_leaves_nothing
}

const KEY: &str = "signing-key-that-the-product-made";
const TOKEN: &str = "token-of-the-ticket-system-0123456789";

/// A stage whose HR system proves itself in this way.
async fn proving(stage: &Stage, verify: &str) -> Stage {
    let database = stage.database.another();
    let usual = format!(
        "verify = {{ kind = \"standard-webhooks\", secrets = [\"{}\"] }}",
        crate::stage::WEBHOOK_SECRET
    );
    Stage::with(database, Choices::edited(&[(&usual, &format!("verify = {verify}"))])).await
}

fn hmac(parts: &[&[u8]]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap();
    for part in parts {
        mac.update(part);
    }
    Digest(mac.finalize().into_bytes().into()).to_string()
}

async fn send(stage: &Stage, body: &[u8], headers: &[(&str, &str)]) -> Answer {
    let mut post = stage.browser.post(format!("{}/webhooks/hr", stage.url)).body(body.to_vec());
    for (name, value) in [("content-type", "application/json")].iter().chain(headers) {
        post = post.header(*name, *value);
    }
    Answer::of(post.send().await.unwrap()).await
}

async fn made(stage: &Stage) -> (i64, i64) {
    (
        stage.count("select count(*) from workflows").await,
        stage.count("select count(*) from deliveries where state = 'accepted'").await,
    )
}

async fn a_product_signs_in_its_own_way(stage: Stage) {
    let recipe = format!(
        "{{ kind = \"hmac\", header = \"X-Product-Signature\", signed = [\"body\", \"header:X-Product-Timestamp\"], \
         timestamp_header = \"X-Product-Timestamp\", secrets = [\"the-key-that-comes-next\", \"{KEY}\"] }}"
    );
    let stage = proving(&stage, &recipe).await;
    let body = stage.joiner().bytes();
    let signed = |time: &str| hmac(&[&body, time.as_bytes()]);
    let now = stage.clock.read().to_rfc3339();
    let told = |time: String| {
        let signature = signed(&time);
        let (stage, body) = (&stage, &body);
        async move {
            let headers =
                [("x-product-timestamp", time.as_str()), ("x-product-signature", signature.as_str())];
            send(stage, body, &headers).await
        }
    };
    let first = told(now.clone()).await;
    assert_eq!(first.status, 202, "{}", first.body);
    // The next attempt carries another time and another signature, and is the same event.
    stage.clock.advance(chrono::TimeDelta::minutes(4));
    let again = told(stage.clock.read().timestamp().to_string()).await;
    assert_eq!((again.status, again.workflow()), (200, first.workflow()));
    stage.clock.advance(chrono::TimeDelta::minutes(2));
    assert_eq!(told(now).await.status, 401);
    assert_eq!(made(&stage).await.0, 1);
    stage.settle().await;
    assert_eq!(stage.state(&first.workflow()).await, "pending_approval");
}

async fn an_old_body_under_a_new_unsigned_name_makes_nothing(stage: Stage) {
    let pair = STANDARD.encode(format!("servicenow:{TOKEN}"));
    let (bearer, basic) = (format!("Bearer {TOKEN}"), format!("Basic {pair}"));
    let recipe = format!(
        "{{ kind = \"hmac\", header = \"X-Hub-Signature\", prefix = \"sha256=\", secrets = [\"{KEY}\"] }}"
    );
    let token = format!(
        "{{ kind = \"token\", header = \"Authorization\", prefix = \"Bearer \", secrets = [\"{TOKEN}\"] }}"
    );
    let name = format!("{{ kind = \"basic\", username = \"servicenow\", passwords = [\"{TOKEN}\"] }}");
    let body = stage.joiner().bytes();
    let hub = format!("sha256={}", hmac(&[&body]));
    for (verify, proof) in [
        (recipe, ("x-hub-signature", hub.as_str())),
        (token, ("authorization", bearer.as_str())),
        (name, ("authorization", basic.as_str())),
    ] {
        let stage = proving(&stage, &verify).await;
        let first = send(&stage, &body, &[proof, ("webhook-id", "1"), ("x-idempotency-key", "1")]).await;
        assert_eq!(first.status, 202, "{verify}: {}", first.body);
        stage.later(chrono::TimeDelta::days(3)).await;
        for number in ["2", "3"] {
            let again =
                send(&stage, &body, &[proof, ("webhook-id", number), ("x-idempotency-key", number)]).await;
            assert_eq!((again.status, again.workflow()), (200, first.workflow()), "{verify}");
        }
        assert_eq!(made(&stage).await, (1, 1), "{verify}");
    }
}

async fn a_signed_name_stands_for_one_event(stage: Stage) {
    let recipe = format!(
        "{{ kind = \"hmac\", header = \"X-Signature\", signed = [\"header:X-Event\", \"text:.\", \"body\"], \
         delivery_key = \"X-Event\", secrets = [\"{KEY}\"] }}"
    );
    let stage = proving(&stage, &recipe).await;
    let mut joiner = stage.joiner();
    let send_as = async |event: &str, body: &[u8]| {
        let signature = hmac(&[event.as_bytes(), b".", body]);
        send(&stage, body, &[("x-event", event), ("x-signature", &signature)]).await
    };
    assert_eq!(send_as("event-1", &joiner.bytes()).await.status, 202);
    assert_eq!(send_as("event-1", &joiner.bytes()).await.status, 200);
    "RITM0010009:1".clone_into(&mut joiner.source_ref);
    let other = send_as("event-1", &joiner.bytes()).await;
    assert_eq!((other.status, other.json()["code"].as_str()), (422, Some("delivery_id_reused")));
    // The name is part of what is signed, so nobody gives an old body a new one.
    let signature = hmac(&[b"event-1", b".", &stage.joiner().bytes()]);
    let renamed = [("x-event", "event-2"), ("x-signature", signature.as_str())];
    assert_eq!(send(&stage, &stage.joiner().bytes(), &renamed).await.status, 401);
    assert_eq!(made(&stage).await, (1, 1));
}

async fn what_is_not_proven_gets_one_answer_and_leaves_nothing(stage: Stage) {
    let verify = format!("{{ kind = \"token\", header = \"X-Token\", secrets = [\"{TOKEN}\"] }}");
    let stage = proving(&stage, &verify).await;
    let body = stage.joiner().bytes();
    let mut answers = vec![send(&stage, &body, &[]).await, stage.post("msg_1", &body).await];
    for wrong in ["", "token-of-the-ticket-system-012345678", "TOKEN-OF-THE-TICKET-SYSTEM-0123456789"] {
        answers.push(send(&stage, &body, &[("x-token", wrong)]).await);
    }
    answers.push(send(&stage, &body, &[("x-token", TOKEN), ("x-token", TOKEN)]).await);
    for answer in &answers {
        assert_eq!((answer.status, &answer.body), (401, &answers[0].body));
        assert!(!answer.body.contains(TOKEN));
    }
    assert_eq!((made(&stage).await, stage.count("select count(*) from audit_events").await), ((0, 0), 0));
    assert_eq!(send(&stage, &body, &[("x-token", TOKEN)]).await.status, 202);
}
