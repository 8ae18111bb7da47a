//! Codes that are asked for at the same moment do not slip past their bounds.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::stage::Stage;
use crate::domain::canon::Digest;
use crate::domain::ids::SignInId;
use crate::domain::names::EmailAddress;
use crate::domain::sign_in::Client;
use crate::store::WriteFault;
use crate::store::codes::{AskForCode, NewCode, Sort};

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
