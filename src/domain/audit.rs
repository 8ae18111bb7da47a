//! One audit event: who did what to which workflow, as bytes that can be checked for ever.
//!
//! Must hold: a personal value enters the bytes only as a salted commitment; its clear text stands beside, so that
//! it can be cleared later and the chain still proves. Secrets enter neither.
//! Deliberately absent: places in the global log; the sealer gives those afterwards.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::canon::{Canon, CanonicalBytes, Digest, Tag};
use super::ids::{ChainId, EventId};
use super::names::{EmailAddress, SourceName};
use super::time::Timestamp;

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $name:ident = $word:literal;)*) => {
        /// What happened. The words are persisted and never change their meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum EventKind { $($(#[$doc])* $name,)* }

        impl EventKind {
            /// The persisted word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// Reads the word back; `None` for a word of another version.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$name),)* _ => None }
            }
        }
    };
}

event_kinds! {
    /// A message was taken in.
    DeliveryAccepted = "delivery.accepted";
    /// A second message that means the same request.
    DeliveryRepeated = "delivery.repeated";
    /// An authentic message that could not be taken in.
    DeliveryRefused = "delivery.refused";
    /// An authentic message that is older than what was heard before, and changes nothing.
    DeliveryIgnored = "delivery.ignored";
    /// A message that takes back or amends what is there, and becomes no workflow of its own.
    CorrectionReceived = "correction.received";
    /// A request became a workflow.
    WorkflowReceived = "workflow.received";
    /// A leaver's request reaches further targets: each has got a workflow of its own.
    WorkflowSpread = "workflow.spread";
    /// A plan was made and sealed.
    WorkflowPlanned = "workflow.planned";
    /// The plan no longer fits the target and is made again.
    WorkflowReplanning = "workflow.replanning";
    /// An approved plan that takes access away was made again, to take away what has come since.
    PlanWidened = "plan.widened";
    /// A person says that a step was done by hand.
    StepMarkedDone = "step.marked_done";
    /// Approvers were told that the target cannot be read.
    VaultAwaited = "workflow.waiting_for_vault";
    /// Another run of the same person, or on the same user, must come to rest first.
    RunAwaited = "workflow.waiting_for_run";
    /// People of one stage were asked.
    StageOpened = "stage.opened";
    /// People who had not answered were reminded.
    StageReminded = "stage.reminded";
    /// Somebody asked has answered.
    DecisionRecorded = "decision.recorded";
    /// All needed answers are there.
    WorkflowApproved = "workflow.approved";
    /// One answer was no.
    WorkflowRejected = "workflow.rejected";
    /// Nobody decided in time.
    WorkflowExpired = "workflow.expired";
    /// The instant that is waited for is another one by newer zone data.
    WorkflowRescheduled = "workflow.rescheduled";
    /// Execution began.
    WorkflowStarted = "workflow.started";
    /// A run is to begin nothing new.
    RunStopping = "workflow.stopping";
    /// Another request took its place.
    WorkflowSuperseded = "workflow.superseded";
    /// It was taken back.
    WorkflowCancelled = "workflow.cancelled";
    /// The intent of an attempt.
    StepBegun = "step.begun";
    /// The outcome of an attempt.
    StepEnded = "step.ended";
    /// An unfinished attempt was looked up in the target.
    StepLookedUp = "step.looked_up";
    /// An account with our mark came up after the run that had made it was over; the intent to disable it.
    LateAccountFound = "late_account.found";
    /// What came of disabling it.
    LateAccountTried = "late_account.tried";
    /// A leaver waits for an account that a lost create may still bring about.
    LateAccountAwaited = "late_account.awaited";
    /// A person, a user name and a vault number belong together.
    PersonLinked = "person.linked";
    /// Somebody proposed to take such a link back; another person has to confirm it.
    UnlinkProposed = "person.unlink_proposed";
    /// Two people took such a link back.
    PersonUnlinked = "person.unlinked";
    /// A password was generated and sealed.
    CredentialSealed = "credential.sealed";
    /// A sealed password was shown to somebody.
    CredentialRevealed = "credential.revealed";
    /// A sealed password waits for its recipient.
    CredentialOffered = "credential.offered";
    /// Somebody else reached for it.
    CredentialRefused = "credential.refused";
    /// A sealed password was erased: refused by the vault, shown, or not fetched in time.
    CredentialDestroyed = "credential.destroyed";
    /// Execution ended with a read that showed the wanted state.
    WorkflowSucceeded = "workflow.succeeded";
    /// A person must look.
    WorkflowNeedsAttention = "workflow.needs_attention";
    /// A person sent it on.
    WorkflowResumed = "workflow.resumed";
    /// A person declared a found account to be this workflow's own.
    AccountAdopted = "account.adopted";
    /// A person ended it.
    WorkflowGivenUp = "workflow.given_up";
    /// Somebody asked for a change of an account that nobody may touch.
    AccountProtected = "account.protected";
    /// A leaver whom nobody was asked about was held, and two people released it.
    WorkflowReleased = "workflow.released";
    /// Somebody proposed what becomes of held leavers; another person has to confirm it.
    HeldProposed = "held.proposed";
    /// Somebody proposed to cancel a leaver; another person has to confirm it.
    CancelProposed = "cancel.proposed";
    /// Operators are told.
    AlarmRaised = "alarm.raised";
    /// The time of a process is believed again, after it was in doubt.
    ClockTrusted = "clock.trusted";
    /// Somebody entered a sign-in code that does not hold.
    SignInFailed = "sign_in.failed";
    /// Somebody signed in with a code from their mailbox.
    SignedIn = "sign_in.done";
    /// A session was ended before its time.
    SignedOut = "sign_in.ended";
    /// The log lacks a head that was kept outside the database: an older database was put back.
    RestoreRecognised = "restore.recognised";
    /// An operator says that it was put back on purpose.
    RestoreAccepted = "restore.accepted";
    /// What a workflow at rest knew about people was cleared after its time.
    PersonalCleared = "personal.cleared";
    /// The raw bytes of messages were cleared after their time.
    DeliveryCleared = "delivery.cleared";
}

/// Who brought an event about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// The service itself.
    Countersign,
    /// A configured sender.
    Source(SourceName),
    /// An approver, known by address.
    Approver(EmailAddress),
    /// Somebody who has signed in, known by address.
    Person(EmailAddress),
    /// Somebody with access to the service's command line; the name is what the system calls them.
    Operator(String),
}

/// An event that is about to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEvent {
    /// What happened.
    pub kind: EventKind,
    /// Who brought it about.
    pub actor: Actor,
    /// Impersonal facts.
    pub facts: BTreeMap<&'static str, Canon>,
    /// Personal values by field name.
    pub personal: BTreeMap<&'static str, String>,
}

impl NewEvent {
    /// An event without facts yet.
    pub fn new(kind: EventKind, actor: Actor) -> Self {
        Self { kind, actor, facts: BTreeMap::new(), personal: BTreeMap::new() }
    }

    /// Adds a fact in text.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.facts.insert(name, Canon::Text(value.into()));
        self
    }

    /// Adds a whole number.
    #[must_use]
    pub fn number(mut self, name: &'static str, value: impl Into<i64>) -> Self {
        self.facts.insert(name, Canon::Int(value.into()));
        self
    }

    /// Adds any canonical value.
    #[must_use]
    pub fn fact(mut self, name: &'static str, value: Canon) -> Self {
        self.facts.insert(name, value);
        self
    }

    /// Adds a personal value; only its commitment will be hashed.
    #[must_use]
    pub fn personal(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.personal.insert(name, value.into());
        self
    }

    /// Fixes the event's place in its chain and makes its bytes. `salt` is asked once for each personal value.
    pub fn write(self, place: &Place, salt: &mut dyn FnMut() -> [u8; 16]) -> WrittenEvent {
        let mut personal = self.personal;
        let actor = match self.actor {
            Actor::Countersign => "countersign".to_owned(),
            Actor::Source(name) => format!("source {name}"),
            Actor::Approver(address) => {
                personal.insert("actor", address.as_str().to_owned());
                "approver".to_owned()
            }
            Actor::Person(address) => {
                personal.insert("actor", address.as_str().to_owned());
                "person".to_owned()
            }
            Actor::Operator(name) => {
                personal.insert("actor", name);
                "operator".to_owned()
            }
        };
        let clear: Vec<PersonalValue> = personal
            .into_iter()
            .map(|(field, text)| PersonalValue { field: field.to_owned(), salt: salt(), text })
            .collect();
        let commitments = clear
            .iter()
            .map(|value| (value.field.clone(), Canon::Text(value.commitment().to_string())))
            .collect();
        let facts = self.facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let body = BTreeMap::from([
            ("id".to_owned(), Canon::Text(place.id.to_string())),
            ("chain".to_owned(), Canon::Text(place.chain.to_string())),
            ("position".to_owned(), Canon::Int(place.position)),
            ("previous".to_owned(), Canon::Text(place.previous.to_string())),
            ("at".to_owned(), Canon::Text(place.at.to_string())),
            ("kind".to_owned(), Canon::Text(self.kind.as_str().to_owned())),
            ("actor".to_owned(), Canon::Text(actor)),
            ("facts".to_owned(), Canon::Map(facts)),
            ("personal".to_owned(), Canon::Map(commitments)),
        ]);
        let bytes = Canon::Map(body).encode(Tag::Event);
        let hash = bytes.digest();
        WrittenEvent { kind: self.kind, bytes, hash, personal: clear }
    }
}

/// Where and when an event stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The event's own id.
    pub id: EventId,
    /// The chain it belongs to.
    pub chain: ChainId,
    /// Its number in the chain; the first is 1.
    pub position: i64,
    /// The hash of the event before it; for the first, of the chain's id.
    pub previous: Digest,
    /// When it happened.
    pub at: Timestamp,
}

impl Place {
    /// What the first event of a chain names as the one before.
    pub fn origin(chain: ChainId) -> Digest {
        Digest::of_bytes(format!("countersign/chain/1\n{chain}").as_bytes())
    }
}

/// An event whose bytes are fixed.
#[derive(Debug, Clone)]
pub struct WrittenEvent {
    /// What happened.
    pub kind: EventKind,
    /// The canonical bytes.
    pub bytes: CanonicalBytes,
    /// Their SHA-256.
    pub hash: Digest,
    /// Clear text of the personal values, to be kept apart.
    pub personal: Vec<PersonalValue>,
}

/// A personal value and what it is hidden with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonalValue {
    /// The name under which the event commits to it.
    pub field: String,
    /// Random, so that a commitment cannot be guessed.
    pub salt: [u8; 16],
    /// The value.
    pub text: String,
}

impl PersonalValue {
    /// What the event's bytes carry instead of the value.
    pub fn commitment(&self) -> Digest {
        let mut hash = Sha256::new();
        hash.update(b"countersign/personal/1\n");
        hash.update(self.salt);
        hash.update(self.field.as_bytes());
        hash.update([0]);
        hash.update(self.text.as_bytes());
        Digest(hash.finalize().into())
    }
}

/// An event as a reader takes it from its bytes.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EventRead {
    /// The event's own id.
    pub id: EventId,
    /// The chain it belongs to.
    pub chain: ChainId,
    /// Its number in the chain.
    pub position: i64,
    /// The hash of the event before.
    pub previous: Digest,
    /// When it happened.
    pub at: Timestamp,
    /// The persisted word for what happened.
    pub kind: String,
    /// `countersign`, `source NAME`, `approver`, `person` or `operator`.
    pub actor: String,
    /// Impersonal facts.
    pub facts: BTreeMap<String, serde_json::Value>,
    /// Commitments to personal values.
    pub personal: BTreeMap<String, Digest>,
}

/// Continues the global log: what stands at a place, given what stood at the one before.
pub fn seal_hash(before: Digest, number: i64, event: Digest) -> Digest {
    let mut hash = Sha256::new();
    hash.update(b"countersign/seal/1\n");
    hash.update(before.0);
    hash.update(number.to_be_bytes());
    hash.update(event.0);
    Digest(hash.finalize().into())
}

/// What stands before the first place of the global log.
pub fn log_origin() -> Digest {
    Digest::of_bytes(b"countersign/log/1\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_personal_value_is_in_the_event_only_as_a_commitment() {
        let at = Timestamp::from_unix_seconds(1).unwrap();
        let chain = ChainId::made(at, [1; 10]);
        let place =
            Place { id: EventId::made(at, [2; 10]), chain, position: 1, previous: Place::origin(chain), at };
        let written = NewEvent::new(EventKind::WorkflowReceived, Actor::Countersign)
            .text("source", "hr")
            .personal("user_name", "zobrien")
            .write(&place, &mut || [9; 16]);
        let text = String::from_utf8(written.bytes.as_slice().to_vec()).unwrap();
        assert!(!text.contains("zobrien"));
        let read: EventRead = written.bytes.open(Tag::Event).unwrap();
        assert_eq!(
            read.personal.get("user_name"),
            written.personal.first().map(PersonalValue::commitment).as_ref()
        );
        assert_eq!(written.hash, written.bytes.digest());
    }
}
