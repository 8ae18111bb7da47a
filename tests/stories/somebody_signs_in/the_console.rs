//! The general way in, for people with a role: the same answer for everybody, and a way back to our own pages alone.

use crate::stage::{Stage, Whole};

told_on_both! {
    with crate::stage::Choices::with_codes();
    somebody_with_a_role_signs_in_and_goes_where_they_wanted
    the_answer_does_not_tell_who_is_known
    the_way_back_leads_nowhere_else
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
    let code = stage.code("Olga@example.com");
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
