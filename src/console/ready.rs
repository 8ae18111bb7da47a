//! `/readyz`: can this process take requests in, and if not, which part is to blame?
//!
//! Must hold: asks for a moment and no longer, writes nothing, and names parts and targets, never a value of the
//! settings. Without the database, without room, or while the time is not believed, nothing is accepted for certain, so
//! the answer is 503; what only holds work up is told and turns nobody away.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use serde::Serialize;

use crate::clock::guarded::Guarded;
use crate::key::KeyRing;
use crate::kit::Kit;
use crate::store::restores::{self, Restore};
use crate::store::{Ailment, ReadFault, clock_doubts, outbox};
use crate::web::json;
use crate::witness::Keeping;

/// A probe gives up after a few seconds itself.
const LONGEST_ASK: Duration = Duration::from_secs(3);

#[derive(Serialize)]
struct Readiness {
    status: Status,
    parts: Parts,
    targets: BTreeMap<String, Part>,
}

/// What an answer as a whole says.
#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// All is well.
    Ready,
    /// Requests are taken in; something else wants a person.
    Degraded,
    /// Nothing can be accepted.
    NotReady,
}

#[derive(Serialize)]
struct Parts {
    clock: Part,
    database: Part,
    disk: Part,
    key: Part,
    log: Part,
    mail: Part,
}

/// One part and, where it is not well, what a person can do.
#[derive(Serialize)]
struct Part {
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    words: Option<Cow<'static, str>>,
}

#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    Failing,
    /// Nobody can tell while another part fails.
    Unknown,
}

impl Part {
    fn well() -> Self {
        Self { state: State::Ok, words: None }
    }

    fn failing(words: impl Into<Cow<'static, str>>) -> Self {
        Self { state: State::Failing, words: Some(words.into()) }
    }

    fn unknown() -> Self {
        Self { state: State::Unknown, words: None }
    }

    fn fails(&self) -> bool {
        self.state == State::Failing
    }
}

/// Answers for this moment.
pub(super) async fn ready(kit: web::Data<Kit>) -> HttpResponse {
    let parts = parts(&kit).await;
    let mut targets = BTreeMap::new();
    for target in kit.targets.values() {
        let part = match target.held_back_since().await {
            None => Part::well(),
            Some(_) => Part::failing(
                "no calls are made: its sign-in is refused, or others end its sessions; mend that and retry a workflow",
            ),
        };
        targets.insert(target.name().as_str().to_owned(), part);
    }
    let status = if parts.clock.fails() || parts.database.fails() || parts.disk.fails() {
        Status::NotReady
    } else if parts.key.fails()
        || parts.log.fails()
        || parts.mail.fails()
        || targets.values().any(Part::fails)
    {
        Status::Degraded
    } else {
        Status::Ready
    };
    let code = match status {
        Status::Ready | Status::Degraded => StatusCode::OK,
        Status::NotReady => StatusCode::SERVICE_UNAVAILABLE,
    };
    json::answer(code, &Readiness { status, parts, targets })
}

async fn parts(kit: &Kit) -> Parts {
    let (clock, key) = (clock(kit), key(kit).await);
    let asked = async {
        kit.store.is_reachable().await?;
        Ok((outbox::is_stuck(&kit.store).await?, restores::open(&kit.store).await?))
    };
    let Ok((stuck, restored)) = within(asked).await else {
        let database = Part::failing("it does not answer; nothing is lost, and work goes on once it does");
        let unknown = Part::unknown;
        return Parts { clock, database, disk: unknown(), key, log: unknown(), mail: unknown() };
    };
    let (mail, log) = (mail(stuck), log(kit, restored.as_ref()));
    let (database, disk) = match kit.store.ailment() {
        None => (Part::well(), Part::well()),
        Some(Ailment::Database) => (
            Part::failing(
                "it answers, but the last write did not go through: it is locked, read-only or busy",
            ),
            Part::unknown(),
        ),
        Some(Ailment::Disk) => (
            Part::well(),
            Part::failing("the last write found no room, or the disk refuses writes; make room"),
        ),
    };
    Parts { clock, database, disk, key, log, mail }
}

/// While the time is in doubt, a message cannot be told from one that is too old.
fn clock(kit: &Kit) -> Part {
    match kit.world.clock.guarded().and_then(Guarded::doubt) {
        None => Part::well(),
        Some(doubt) => Part::failing(format!(
            "{}; set it right, or say countersign clock confirm",
            clock_doubts::in_words(&doubt)
        )),
    }
}

fn mail(stuck: outbox::Stuck) -> Part {
    match stuck {
        outbox::Stuck::No => Part::well(),
        outbox::Stuck::Yes => {
            Part::failing("a mail is owed and was not taken; look at the mail server and at the log")
        }
    }
}

fn log(kit: &Kit, restored: Option<&Restore>) -> Part {
    match (restored, kit.witness.keeping()) {
        (Some(_), _) => Part::failing(
            "restored: the database is an older one than was worked on; requests are taken in and nothing is carried out \
             until an operator says countersign audit accept-restore",
        ),
        (None, Keeping::Fails) => Part::failing(
            "its last head cannot be written to audit.head_file, so a restored database would not be recognised",
        ),
        (None, Keeping::Works) => Part::well(),
    }
}

/// The database did not answer in time, or said no.
struct Unanswered;

async fn within<T>(asked: impl Future<Output = Result<T, ReadFault>>) -> Result<T, Unanswered> {
    match tokio::time::timeout(LONGEST_ASK, asked).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(fault)) => {
            tracing::warn!(%fault, "not ready");
            Err(Unanswered)
        }
        Err(_) => {
            tracing::warn!("not ready: the database does not answer in time");
            Err(Unanswered)
        }
    }
}

/// The running service holds its key in memory; the next start needs the file.
async fn key(kit: &Kit) -> Part {
    let (file, at_hand) = (kit.settings.key_file.clone(), kit.keys.fingerprint());
    let read = tokio::task::spawn_blocking(move || KeyRing::read(&file)).await;
    match read {
        Ok(Ok(ring)) if ring.fingerprint() == at_hand => Part::well(),
        Ok(Ok(_)) => {
            Part::failing("the key file holds another key than this service was begun with; put it back")
        }
        Ok(Err(_)) | Err(_) => Part::failing(
            "the key file cannot be read; this process goes on, the next start will not: put it back",
        ),
    }
}
