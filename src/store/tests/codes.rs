//! Codes that are asked for at the same moment do not slip past their bounds.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::stage::{Stage, user};
use crate::domain::canon::Digest;
use crate::domain::ids::SignInId;
use crate::domain::names::EmailAddress;
use crate::domain::sign_in::Client;
use crate::store::WriteFault;
use crate::store::codes::{AskForCode, Begins, EnterCode, Entered, NewCode, Sort};
use crate::store::sessions::NewSession;

/// Bounds of `domain::sign_in`: for one address that one client types, within an hour.
const BOUND: usize = 5;
/// For one address, whoever types it, within an hour.
const BOUND_OF_ADDRESS: usize = 20;
/// For one client, within a quarter of an hour.
const BOUND_OF_CLIENT: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_asks_do_not_slip_past_the_bound() {
    at_once(&Stage::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all runs it"]
async fn parallel_asks_on_postgresql() {
    at_once(&Stage::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_are_counted_apart() {
    apart(&Stage::sqlite().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs a PostgreSQL server; tests/all runs it"]
async fn commands_apart_on_postgresql() {
    apart(&Stage::postgres().await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_code_is_worth_something_only_where_it_was_asked_for() {
    bound_to_who_asked(&Stage::sqlite().await).await;
}

fn command(stage: &Stage, called: &str, secret: &str) -> AskForCode {
    let mut deed = ask(stage, "olga@example.com", secret, [10, 0, 0, 1]);
    deed.code.client = Client::at_the_machine(called);
    deed
}

/// Whoever has a shell uses up neither the console's codes nor all those of other shells.
async fn apart(stage: &Stage) {
    let many = (0..40).map(|number| command(stage, "mallory", &format!("command {number}"))).collect();
    assert_eq!(taken(stage, many).await, BOUND);
    assert_eq!(taken(stage, vec![command(stage, "olga", "her own")]).await, 1);
    let browsers = (0..40).map(|number| {
        let client = [10, 0, 1, u8::try_from(number).unwrap()];
        ask(stage, "olga@example.com", &format!("browser {number}"), client)
    });
    assert_eq!(taken(stage, browsers.collect()).await, BOUND_OF_ADDRESS);
}

async fn bound_to_who_asked(stage: &Stage) {
    let user = user("olga", 1_000);
    let session = |name: &str| NewSession {
        id_hash: Digest::of_bytes(name.as_bytes()),
        ends_at: stage.now().plus_seconds(600),
        replaces: None,
    };
    for (of_command, number) in [(true, 1), (false, 2)] {
        let (own, other) = (format!("own {number}"), format!("other {number}"));
        let asking = if of_command {
            command(stage, "olga", &own)
        } else {
            ask(stage, "olga@example.com", &own, [10, 0, 0, number])
        };
        let code = asking.code.clone();
        stage.store.write(asking).await.unwrap();
        let enter = |secret: &str, begins: Begins| EnterCode {
            stamp: stage.stamp(),
            code: code.id,
            browser: Digest::of_bytes(secret.as_bytes()),
            typed: code.code_hash,
            link: None,
            begins,
        };
        for begins in [Begins::Command(user.clone()), Begins::Session(session(&other))] {
            let foreign = stage.store.write(enter(&other, begins)).await.unwrap();
            assert_eq!(foreign, Entered::Over, "the digits alone are worth nothing");
        }
        let begins = if of_command { Begins::Command(user.clone()) } else { Begins::Session(session(&own)) };
        let entered = stage.store.write(enter(&own, begins.clone())).await.unwrap();
        assert_eq!(entered, Entered::SignedIn(code.address.clone()));
        // The same deed once more, after an answer that was lost.
        assert_eq!(stage.store.write(enter(&own, begins)).await.unwrap(), entered);
    }
}

fn ask(stage: &Stage, address: &str, browser: &str, client: [u8; 4]) -> AskForCode {
    let stamp = stage.stamp();
    let code = NewCode {
        id: stamp.draw().id(SignInId::made),
        workflow: None,
        address: EmailAddress::parse(address).unwrap(),
        sort: Sort::Mailed,
        browser: Digest::of_bytes(browser.as_bytes()),
        client: Client::of(Some(IpAddr::from(client))),
        code_hash: Digest([1; 32]),
        expires_at: stamp.at.plus_seconds(600),
    };
    AskForCode { stamp, code }
}

/// How many of these were taken; every other one was told to wait.
async fn taken(stage: &Stage, asks: Vec<AskForCode>) -> usize {
    let written = asks.into_iter().map(|ask| {
        let store = stage.store.clone();
        tokio::spawn(async move { store.write(ask).await })
    });
    let answers = join_all(written).await.into_iter().map(Result::unwrap);
    let taken = answers.map(|answer| match answer {
        Ok(()) => 1,
        Err(WriteFault::Refused(_)) => 0,
        Err(other) => panic!("{other:?}"),
    });
    taken.sum()
}

async fn at_once(stage: &Stage) {
    // Forty browsers ask for one address, under several spellings.
    let address = |number: usize| format!("Olga+{}@example.com", number % 3);
    let one = [10, 0, 0, 1];
    let asks =
        (0..40).map(|number| ask(stage, &address(number), &format!("browser {number}"), one)).collect();
    assert_eq!(taken(stage, asks).await, BOUND);
    // They have used up only what is meant for them: whose address it is asks from elsewhere, up to a bound of its own.
    let asks = (0..40).map(|number| {
        let client = [10, 0, 1, u8::try_from(number).unwrap()];
        ask(stage, &address(number), &format!("elsewhere {number}"), client)
    });
    assert_eq!(taken(stage, asks.collect()).await, BOUND_OF_ADDRESS - BOUND);
    // One browser asks for twenty addresses within half a minute: after the first it must wait for the mail.
    let asks =
        (0..20).map(|number| ask(stage, &format!("p{number}@example.com"), "one", [10, 0, 2, 1])).collect();
    assert_eq!(taken(stage, asks).await, 1);
    // Others are not kept from asking.
    let others = |client| {
        let asks = (0..30).map(|number| {
            ask(stage, &format!("q{number}@example.com"), &format!("{client:?} {number}"), client)
        });
        asks.collect()
    };
    assert_eq!(taken(stage, others([10, 0, 2, 2])).await, BOUND_OF_CLIENT);
    assert_eq!(taken(stage, others([10, 0, 2, 3])).await, BOUND_OF_CLIENT);
}
