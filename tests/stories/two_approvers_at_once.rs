//! Two answers at the same instant: one of them counts, and whoever lost learns who won.
//!
//! Must hold: many rounds, since a race shows itself only now and then; in some of them one of the two is held up while
//! it is under way, so that each order really happens. (Lines 8 and 9 of the approval checklist.)

use countersign::simulator::faults::{Effect, Fault, Moment};
use serde_json::Value;

use crate::stage::{Answer, Choices, Database, ONE_OF_THE_GROUP, Stage};

const ROUNDS: usize = 12;

told_on_both! {
    of_a_yes_and_a_no_one_counts_and_the_loser_is_told_who_won
    a_double_click_on_two_connections_is_one_answer
    of_a_yes_and_a_no_of_the_same_person_the_first_stands
}

/// Presses two buttons at once; who comes first through the door is left to the machine.
async fn at_once(stage: &Stage, one: (&str, &str), two: (&str, &str)) -> (Answer, Answer) {
    let (form_one, form_two) = (stage.form(one.0).await.unwrap(), stage.form(two.0).await.unwrap());
    tokio::join!(
        stage.press(one.0, one.1, "so it is", (&form_one.0, &form_one.1)),
        stage.press(two.0, two.1, "so it is", (&form_two.0, &form_two.1)),
    )
}

async fn decisions(stage: &Stage, workflow: &str) -> Vec<Value> {
    stage.api(&format!("/{workflow}")).await["decisions"].as_array().unwrap().clone()
}

/// How often the vault was asked about users and groups. A yes reads it before it counts, a no does not.
fn readings(stage: &Stage) -> usize {
    stage.simulator.vault.wire().iter().filter(|call| call.path.contains("/API/User")).count()
}

/// The vault is slow, so the yes is on its way when the no comes, and after it.
async fn a_no_overtakes(stage: &Stage, yes: &str, no: &str) -> (Answer, Answer) {
    let slow = Effect::Delay { millis: 700, moment: Moment::Before };
    stage.simulator.vault.add_fault(Fault::on("GET", "/User", 1, slow));
    let before = readings(stage);
    let (form_yes, form_no) = (stage.form(yes).await.unwrap(), stage.form(no).await.unwrap());
    tokio::join!(stage.press(yes, "approve", "so it is", (&form_yes.0, &form_yes.1)), async {
        while readings(stage) == before {
            tokio::task::yield_now().await;
        }
        stage.press(no, "reject", "so it is", (&form_no.0, &form_no.1)).await
    })
}

/// The no sets out when the yes has read all that it reads.
async fn a_no_comes_late(stage: &Stage, yes: &str, no: &str, reads: usize) -> (Answer, Answer) {
    let before = readings(stage);
    let (form_yes, form_no) = (stage.form(yes).await.unwrap(), stage.form(no).await.unwrap());
    tokio::join!(stage.press(yes, "approve", "so it is", (&form_yes.0, &form_yes.1)), async {
        while readings(stage) < before + reads {
            tokio::task::yield_now().await;
        }
        stage.press(no, "reject", "so it is", (&form_no.0, &form_no.1)).await
    })
}

async fn of_a_yes_and_a_no_one_counts_and_the_loser_is_told_who_won(stage: Stage) {
    let mut won = [0, 0];
    stage.hire_another(ROUNDS).await;
    let before = readings(&stage);
    assert_eq!(stage.decide(&stage.link("ana@example.com"), "approve", "").await.status, 303);
    let reads = readings(&stage) - before;
    assert!(reads > 0, "a yes reads the vault");
    for round in 0..ROUNDS {
        let workflow = stage.hire_another(round).await;
        let (ana, bo) = (stage.link("ana@example.com"), stage.link("bo@example.com"));
        let (yes, no) = match round % 4 {
            0 => at_once(&stage, (&ana, "approve"), (&bo, "reject")).await,
            1 => {
                let (no, yes) = at_once(&stage, (&bo, "reject"), (&ana, "approve")).await;
                (yes, no)
            }
            2 => a_no_overtakes(&stage, &ana, &bo).await,
            _ => a_no_comes_late(&stage, &ana, &bo, reads).await,
        };
        let recorded = decisions(&stage, &workflow).await;
        assert_eq!(recorded.len(), 1, "{recorded:?}");
        let (winner, loser, ends, words) = match (yes.status, no.status) {
            (303, 409) => (0, no, "approved", "ana@example.com approved this request at"),
            (409, 303) => (1, yes, "rejected", "bo@example.com rejected this request at"),
            other => panic!("{other:?}: {} {}", yes.body, no.body),
        };
        won[winner] += 1;
        assert!(loser.body.contains(words), "{}", loser.body);
        assert!(loser.body.contains("Nothing of yours was recorded"), "{}", loser.body);
        assert!(!loser.body.contains("<form"), "the loser is not asked again");
        assert_eq!(stage.state(&workflow).await, ends);
        assert_eq!(recorded[0]["decision"], if winner == 0 { "approve" } else { "reject" }, "{recorded:?}");
    }
    assert!(won[0] > 0 && won[1] > 0, "each of the two wins at times: {won:?}");
}

async fn a_double_click_on_two_connections_is_one_answer(stage: Stage) {
    for round in 0..ROUNDS {
        let workflow = stage.hire_another(round).await;
        let ana = stage.link("ana@example.com");
        let (one, two) = at_once(&stage, (&ana, "approve"), (&ana, "approve")).await;
        let mut statuses = [one.status, two.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 303], "{} {}", one.body, two.body);
        let second = if one.status == 200 { one } else { two };
        assert!(second.body.contains("You approved this plan at"), "{}", second.body);
        assert!(second.body.contains("Your answer stands"), "{}", second.body);
        assert_eq!(decisions(&stage, &workflow).await.len(), 1);
        assert_eq!(stage.state(&workflow).await, "approved");
    }
}

async fn of_a_yes_and_a_no_of_the_same_person_the_first_stands(stage: Stage) {
    for round in 0..ROUNDS {
        let workflow = stage.hire_another(round).await;
        let ana = stage.link("ana@example.com");
        let (yes, no) = at_once(&stage, (&ana, "approve"), (&ana, "reject")).await;
        let (second, said, ends) = match (yes.status, no.status) {
            (303, 200) => (no, "You approved this plan", "approved"),
            (200, 303) => (yes, "You rejected this plan", "rejected"),
            other => panic!("{other:?}: {} {}", yes.body, no.body),
        };
        assert!(second.body.contains(said), "{}", second.body);
        assert_eq!(decisions(&stage, &workflow).await.len(), 1);
        assert_eq!(stage.state(&workflow).await, ends);
    }
}

/// Two needed answers that come together are both heard, and the second of them moves the workflow on.
async fn both_of_a_quorum_of_two_are_heard(database: Database) {
    let both = "stages = [{ ask = [\"group:pam-admins\"], quorum = 2 }]\n";
    let stage = Stage::with(database, Choices::edited(&[(&format!("{ONE_OF_THE_GROUP}\n"), both)])).await;
    for round in 0..ROUNDS {
        let workflow = stage.hire_another(round).await;
        let (ana, bo) = (stage.link("ana@example.com"), stage.link("bo@example.com"));
        let (one, two) = at_once(&stage, (&ana, "approve"), (&bo, "approve")).await;
        assert_eq!((one.status, two.status), (303, 303), "{} {}", one.body, two.body);
        assert_eq!(decisions(&stage, &workflow).await.len(), 2);
        assert_eq!(stage.state(&workflow).await, "approved");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_of_a_quorum_of_two_are_heard_on_sqlite() {
    both_of_a_quorum_of_two_are_heard(Database::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all starts one and runs this"]
async fn both_of_a_quorum_of_two_are_heard_on_postgresql() {
    both_of_a_quorum_of_two_are_heard(Database::postgres()).await;
}
