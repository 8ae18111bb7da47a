//! What a code is worth: once, for ten minutes, five tries, in the browser that asked; and how often one is mailed.

use chrono::TimeDelta;

use super::assert_tells_nothing;
use crate::stage::{Choices, Stage, another_code};

told_on_both! {
    with crate::stage::Choices::with_codes();
    five_wrong_codes_end_it
    a_code_holds_for_ten_minutes
    a_code_opens_once
    another_browser_cannot_use_the_code
    a_new_code_replaces_the_one_before
    nobody_is_flooded_with_codes
    a_forwarded_link_does_not_close_the_door_to_its_addressee
}

async fn five_wrong_codes_end_it(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let ana = stage.visitor();
    ana.ask(&link).await;
    let code = stage.code("ana@example.com");
    for no_code in ["", "12345", "1234567", "12345a", "١٢٣٤٥٦"] {
        let refused = ana.enter(&link, no_code).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains("A code has six digits"), "{}", refused.body);
    }
    for said in ["4 more tries are left", "3 more tries", "2 more tries", "One more try is left"] {
        let refused = ana.enter(&link, &another_code(&code)).await;
        assert_eq!(refused.status, 422);
        assert!(refused.body.contains(said) && refused.body.contains("role=\"alert\""), "{}", refused.body);
        assert!(refused.body.contains("aria-invalid=\"true\"") && !refused.body.contains(&code));
        assert_tells_nothing(&refused.body, &workflow);
    }
    let over = ana.enter(&link, &another_code(&code)).await;
    assert!(over.body.contains("No code holds") && over.body.contains("Mail me a code"), "{}", over.body);
    assert_eq!(ana.enter(&link, &code).await.status, 422, "the right one comes too late");
    assert!(!ana.open(&link).await.asks());
    let failed: Vec<_> =
        stage.trail(&workflow).await.into_iter().filter(|event| event["kind"] == "sign_in.failed").collect();
    assert_eq!(failed.len(), 5);
    assert_eq!(failed[4]["facts"]["tries"], 5);
    assert_eq!(failed[0]["personal"]["whose"], "ana@example.com");
    stage.clock.advance(TimeDelta::seconds(31));
    ana.sign_in(&link, "ana@example.com").await;
    assert!(ana.open(&link).await.asks());
    stage.check_proof(&[workflow]).await;
}

async fn a_code_holds_for_ten_minutes(stage: Stage) {
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let ana = stage.visitor();
    ana.ask(&link).await;
    let code = stage.code("ana@example.com");
    stage.clock.advance(TimeDelta::minutes(10));
    let late = ana.enter(&link, &code).await;
    assert_eq!(late.status, 422);
    assert!(late.body.contains("came too late") && late.body.contains("Mail me a code"), "{}", late.body);
    assert!(!ana.open(&link).await.asks());
    let trail = stage.trail(&workflow).await;
    let failed = trail.iter().find(|event| event["kind"] == "sign_in.failed").unwrap();
    assert_eq!(failed["facts"]["because"], "the code came too late");
    ana.ask(&link).await;
    stage.clock.advance(TimeDelta::minutes(9));
    assert_eq!(ana.enter(&link, &stage.code("ana@example.com")).await.status, 303);
}

async fn a_code_opens_once(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let ana = stage.visitor();
    ana.ask(&link).await;
    let before = ana.cookies.borrow().clone();
    let code = stage.code("ana@example.com");
    assert_eq!(ana.enter(&link, &code).await.status, 303);
    // The same browser, as it was before: the code is spent.
    let again = stage.visitor();
    *again.cookies.borrow_mut() = before;
    assert_eq!(again.enter(&link, &code).await.status, 422);
    assert!(!again.open(&link).await.asks());
}

async fn another_browser_cannot_use_the_code(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let (ana, thief) = (stage.visitor(), stage.visitor());
    ana.ask(&link).await;
    let code = stage.code("ana@example.com");
    // One that has never asked, and one that has asked itself.
    assert_eq!(thief.enter(&link, &code).await.status, 422);
    assert!(thief.cookies.borrow().is_empty());
    thief.ask(&link).await;
    let refused = thief.enter(&link, &code).await;
    assert!(refused.status == 422 && refused.body.contains("4 more tries"), "{}", refused.body);
    assert!(!thief.open(&link).await.asks());
    assert_eq!(ana.enter(&link, &code).await.status, 303, "hers still holds");
}

async fn a_new_code_replaces_the_one_before(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    let ana = stage.visitor();
    ana.ask(&link).await;
    let first = stage.code("ana@example.com");
    let soon = ana.ask(&link).await;
    assert_eq!((soon.status, stage.codes("ana@example.com")), (429, 1));
    assert!(soon.body.contains("in a minute") && soon.body.contains("id=\"code\""), "{}", soon.body);
    stage.clock.advance(TimeDelta::seconds(31));
    assert_eq!((ana.ask(&link).await.status, stage.codes("ana@example.com")), (303, 2));
    let second = stage.code("ana@example.com");
    if first != second {
        assert_eq!(ana.enter(&link, &first).await.status, 422);
    }
    assert_eq!(ana.enter(&link, &second).await.status, 303);
}

async fn nobody_is_flooded_with_codes(stage: Stage) {
    stage.hire_told(|_| ()).await;
    let (to_ana, to_bo) = (stage.link("ana@example.com"), stage.link("bo@example.com"));
    // Each time from a fresh browser.
    for asked in 1..=5 {
        assert_eq!(stage.visitor().ask(&to_ana).await.status, 303);
        assert_eq!(stage.codes("ana@example.com"), asked);
    }
    let refused = stage.visitor().ask(&to_ana).await;
    assert_eq!((refused.status, stage.codes("ana@example.com")), (429, 5));
    let wait: i64 = refused.header("retry-after").parse().unwrap();
    assert!((800..=901).contains(&wait), "{wait}");
    assert!(refused.body.contains("Too many codes were asked for"), "{}", refused.body);
    assert_eq!(stage.visitor().ask(&to_bo).await.status, 303, "nobody else is kept waiting");
    stage.clock.advance(TimeDelta::seconds(wait));
    assert_eq!(stage.visitor().ask(&to_ana).await.status, 303);
    // A whole day has its bound, too.
    let mut sent = 6;
    for _ in 0..60 {
        stage.clock.advance(TimeDelta::minutes(16));
        if stage.visitor().ask(&to_ana).await.status == 303 {
            sent += 1;
        }
    }
    assert_eq!((sent, stage.codes("ana@example.com")), (20, 20));
    stage.clock.advance(TimeDelta::hours(24));
    assert_eq!(stage.visitor().ask(&to_ana).await.status, 303);
}

async fn a_forwarded_link_does_not_close_the_door_to_its_addressee(stage: Stage) {
    let mut choices = Choices::with_codes();
    choices.edits.push(("[http]".to_owned(), "[http]\ntrusted_proxies = [\"127.0.0.1\"]".to_owned()));
    let stage = Stage::with(stage.database.another(), choices).await;
    stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    // Somebody to whom it was forwarded asks for codes, each time from a fresh browser, until there is no more for them.
    for asked in 1..=6 {
        let answer = stage.visitor().asks_from(&link, "203.0.113.7").await;
        assert_eq!(answer.status, if asked <= 5 { 303 } else { 429 }, "{asked}");
    }
    // Ana asks from her own desk.
    let ana = stage.visitor();
    assert_eq!(ana.asks_from(&link, "198.51.100.1").await.status, 303);
    assert_eq!(ana.enter(&link, &stage.code("ana@example.com")).await.status, 303);
    assert!(ana.open(&link).await.asks());
    // However many clients ask, one mailbox is not flooded.
    let mut taken = 0;
    for client in 1..=30 {
        let answer = stage.visitor().asks_from(&link, &format!("192.0.2.{client}")).await;
        taken += usize::from(answer.status == 303);
    }
    assert_eq!(taken, 20 - 6);
}
