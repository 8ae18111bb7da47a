//! A row of our own has been changed behind our back: a run that cannot read its plan goes to a person.

use crate::stage::{Database, READER, Stage};

told_on_both! {
    a_plan_that_is_not_the_approved_one_any_more_is_not_carried_out
}

async fn a_plan_that_is_not_the_approved_one_any_more_is_not_carried_out(stage: Stage) {
    let workflow = stage.approved().await;
    let changed = match stage.database {
        Database::Sqlite => "update plans set bytes = x'7b7d'",
        Database::Postgres { .. } => "update plans set bytes = '\\x7b7d'",
    };
    stage.database.change(stage.folder.path(), changed).await;
    stage.settle().await;
    // Whoever asks for the whole is told that something is wrong; the row says what.
    let row = format!("{}/api/v1/workflows/{workflow}", stage.url);
    assert_eq!(stage.browser.get(row).bearer_auth(READER).send().await.unwrap().status(), 500);
    let question = "select state || ': ' || reason from workflows";
    let rests = stage.database.texts(stage.folder.path(), question).await;
    assert!(rests[0].starts_with("needs_attention: ") && rests[0].contains("plan"), "{rests:?}");
    assert!(stage.writes().is_empty(), "{:?}", stage.writes());
    assert_eq!(stage.calls_for_help(), 1, "the operators are written to, once");
}
