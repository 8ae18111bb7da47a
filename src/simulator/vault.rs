//! The tenant with its clock, its faults and its memory of the wire, behind a handle that clones.
//!
//! Must hold: one request at a time sees and changes the state; the lock is never held across a wait.
//! Deliberately not here: HTTP (see `vault_server`).

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use serde_json::{Value, json};

use super::clock::SimClock;
use super::faults::{Effect, Fault, Meanwhile, Moment, Script};
use super::tenant::{Answer, Call, JournalEntry, Refusal, SessionKind, Tenant, TenantOptions, WireEntry};

struct World {
    tenant: Tenant,
    script: Script,
    wire: Vec<WireEntry>,
    late: Vec<Late>,
}

/// A request that is carried out later than anybody waits for it.
struct Late {
    received: DateTime<Utc>,
    due: DateTime<Utc>,
    call: Call,
}

impl World {
    /// Carries out what is due by now, in the order in which it is due, as if nothing had kept it.
    fn land(&mut self, now: DateTime<Utc>) {
        self.late.sort_by_key(|late| late.due);
        while self.late.first().is_some_and(|late| late.due <= now) {
            let late = self.late.remove(0);
            self.tenant.answer(late.received, &late.call);
        }
    }
}

/// The simulated vault as a test or the demo holds it. Clones are the same vault.
#[derive(Clone)]
pub struct Vault {
    world: Arc<Mutex<World>>,
    clock: SimClock,
    /// Requests that wait at this moment, because a fault delays them.
    delayed: Arc<AtomicUsize>,
}

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Answered(Answer),
    /// The connection closes without a word.
    Silence,
}

/// A request on its way in: the mishap it meets, and what is left to do.
pub(super) struct Visit {
    call: Call,
    effect: Option<Effect>,
}

impl Visit {
    /// How many milliseconds to wait, and when.
    pub(super) fn delay(&self) -> Option<(u64, Moment)> {
        match self.effect {
            Some(Effect::Delay { millis, moment }) => Some((millis, moment)),
            _ => None,
        }
    }
}

impl Vault {
    /// A vault over a new tenant.
    pub fn new(options: TenantOptions, clock: SimClock) -> Self {
        let tenant = Tenant::new(options);
        let world = World { tenant, script: Script::default(), wire: Vec::new(), late: Vec::new() };
        Self { world: Arc::new(Mutex::new(world)), clock, delayed: Arc::default() }
    }

    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        world.land(self.clock.now());
        world
    }

    /// The vault's clock.
    pub fn clock(&self) -> &SimClock {
        &self.clock
    }

    /// The accepted writes of the API client, oldest first.
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.world().tenant.journal().to_vec()
    }

    /// Every request so far, oldest first.
    pub fn wire(&self) -> Vec<WireEntry> {
        self.world().wire.clone()
    }

    /// Everything in the vault: `{"users":[..],"groups":[..],"safes":[..]}`, users in the product's shape with every field.
    pub fn state(&self) -> Value {
        self.world().tenant.state()
    }

    /// The user of this name (in any case), with every field.
    pub fn user(&self, name: &str) -> Option<Value> {
        let mut state = self.state();
        let users = state["users"].as_array_mut()?;
        let is_named =
            |user: &&mut Value| user["username"].as_str().is_some_and(|n| n.eq_ignore_ascii_case(name));
        users.iter_mut().find(is_named).map(Value::take)
    }

    /// The number of the user of this name (in any case).
    pub fn id_of(&self, name: &str) -> Result<i64, Refusal> {
        self.world().tenant.id_of(name)
    }

    /// Whether this is the password of user `id`.
    pub fn password_is(&self, id: i64, password: &str) -> bool {
        self.world().tenant.password_is(id, password)
    }

    /// Adds a vault group with this name and no members; its number.
    pub fn add_group(&self, name: &str) -> Result<i64, Refusal> {
        self.add_group_as(&json!({ "groupName": name }))
    }

    /// Adds a group described by JSON; its number. See [`Tenant::add_group`].
    pub fn add_group_as(&self, described: &Value) -> Result<i64, Refusal> {
        self.world().tenant.add_group(described)
    }

    /// Adds a user described by JSON; its number. See [`Tenant::add_user`].
    pub fn add_user(&self, described: &Value) -> Result<i64, Refusal> {
        self.world().tenant.add_user(described)
    }

    /// Deletes a group behind the client's back.
    pub fn remove_group(&self, id: i64) -> Result<(), Refusal> {
        self.world().tenant.remove_group(id)
    }

    /// Deletes a user behind the client's back.
    pub fn remove_user(&self, id: i64) -> Result<(), Refusal> {
        self.world().tenant.remove_user(id)
    }

    /// Deletes a group and makes it anew under another number behind the client's back; that number. See
    /// [`Tenant::recreate_group`].
    pub fn recreate_group(&self, id: i64) -> Result<i64, Refusal> {
        self.world().tenant.recreate_group(id)
    }

    /// Adds a safe described by JSON. See [`Tenant::add_safe`].
    pub fn add_safe(&self, described: &Value) -> Result<(), Refusal> {
        self.world().tenant.add_safe(described)
    }

    /// Lets the user or group of this name into a safe.
    pub fn let_into_safe(&self, safe: &str, member: &str) -> Result<(), Refusal> {
        self.world().tenant.let_into_safe(safe, member)
    }

    /// Takes the user or group of this name out of a safe.
    pub fn put_out_of_safe(&self, safe: &str, member: &str) -> Result<(), Refusal> {
        self.world().tenant.put_out_of_safe(safe, member)
    }

    /// Puts a user into a group behind the client's back.
    pub fn put_member(&self, group_id: i64, user_id: i64) -> Result<(), Refusal> {
        self.world().tenant.put_member(group_id, user_id)
    }

    /// Takes a user out of a group behind the client's back.
    pub fn take_member(&self, group_id: i64, user_id: i64) -> Result<(), Refusal> {
        self.world().tenant.take_member(group_id, user_id)
    }

    /// Merges changes into a user behind the client's back. See [`Tenant::patch_user`].
    pub fn patch_user(&self, id: i64, changes: &Value) -> Result<(), Refusal> {
        self.world().tenant.patch_user(id, changes)
    }

    /// Renames a group or changes its kind behind the client's back. See [`Tenant::patch_group`].
    pub fn patch_group(&self, id: i64, changes: &Value) -> Result<(), Refusal> {
        self.world().tenant.patch_group(id, changes)
    }

    /// Ends every token and every session.
    pub fn revoke_tokens(&self) {
        self.world().tenant.revoke_tokens();
    }

    /// Gives the service user another secret or password.
    pub fn set_service_password(&self, password: SecretString) {
        self.world().tenant.set_service_password(password);
    }

    /// Another process logs on with the service user's name and password.
    pub fn log_on_elsewhere(&self, kind: SessionKind) -> Result<(), Refusal> {
        let now = self.clock.now();
        self.world().tenant.log_on_elsewhere(now, kind)
    }

    /// How many sessions stand at this moment.
    pub fn open_sessions(&self) -> usize {
        let now = self.clock.now();
        self.world().tenant.open_sessions(now)
    }

    /// Changes how the tenant is set up, from the next call on.
    pub fn configure(&self, change: impl FnOnce(&mut TenantOptions)) {
        change(self.world().tenant.options_mut());
    }

    /// Puts a fault on the script.
    pub fn add_fault(&self, fault: Fault) {
        self.world().script.add(fault);
    }

    /// Takes every fault off the script.
    pub fn clear_faults(&self) {
        self.world().script.clear();
    }

    /// How many requests a fault delays at this moment.
    pub fn delayed(&self) -> usize {
        self.delayed.load(Ordering::SeqCst)
    }

    /// Counts a request among those that wait.
    pub(super) fn begins_to_wait(&self) {
        self.delayed.fetch_add(1, Ordering::SeqCst);
    }

    /// It waits no longer.
    pub(super) fn has_waited(&self) {
        self.delayed.fetch_sub(1, Ordering::SeqCst);
    }

    /// Answers a call as if it had come over the wire, without any fault.
    pub fn answer(&self, call: &Call) -> Answer {
        let now = self.clock.now();
        self.world().tenant.answer(now, call)
    }

    /// Lets a request in and looks up which mishap it meets.
    pub(super) fn admit(&self, call: Call) -> Visit {
        let effect = self.world().script.strike(&call);
        Visit { call, effect }
    }

    /// Carries the request out as far as its mishap lets it, and writes the wire log.
    pub(super) fn finish(&self, visit: Visit) -> Outcome {
        let Visit { call, effect } = visit;
        let fault = effect.as_ref().map(Effect::name);
        let outcome = self.outcome(&call, effect);
        let status = match &outcome {
            Outcome::Answered(answer) => Some(answer.status),
            Outcome::Silence => None,
        };
        let at = self.clock.now();
        let entry = WireEntry { at, path: call.target(), method: call.method, status, fault };
        self.world().wire.push(entry);
        outcome
    }

    fn outcome(&self, call: &Call, effect: Option<Effect>) -> Outcome {
        let instead = |status: u16, body: Option<Value>, retry_after: Option<u64>| {
            let answer = body.map_or_else(|| Answer::empty(status), |body| Answer::json(status, body));
            Outcome::Answered(Answer { retry_after, ..answer })
        };
        match effect {
            None | Some(Effect::Delay { .. }) => Outcome::Answered(self.answer(call)),
            Some(Effect::Status { status, body, retry_after, moment: Moment::Before }) => {
                instead(status, body, retry_after)
            }
            Some(Effect::Status { status, body, retry_after, moment: Moment::After }) => {
                self.answer(call);
                instead(status, body, retry_after)
            }
            Some(Effect::RepeatsPass) => {
                let sent = |header: &Option<String>| header.clone().unwrap_or_default();
                let words = format!(
                    "no way through for Authorization: {}; Cookie: {}",
                    sent(&call.authorization),
                    sent(&call.cookies)
                );
                instead(403, Some(json!({ "ErrorCode": "GW403", "ErrorMessage": words })), None)
            }
            Some(Effect::DropBefore) => Outcome::Silence,
            Some(Effect::DropAfter) => {
                self.answer(call);
                Outcome::Silence
            }
            Some(Effect::Late(seconds)) => {
                let received = self.clock.now();
                let due = received + TimeDelta::seconds(i64::from(seconds));
                self.world().late.push(Late { received, due, call: call.clone() });
                Outcome::Silence
            }
            Some(Effect::Html503) => Outcome::Answered(Answer::html(503, "503 Service Unavailable")),
            Some(Effect::StaleToken) => {
                self.world().tenant.revoke_token(call.authorization.as_deref().unwrap_or(""));
                Outcome::Answered(self.answer(call))
            }
            Some(Effect::Meanwhile(deed)) => {
                self.meddle(&deed);
                Outcome::Answered(self.answer(call))
            }
        }
    }

    fn meddle(&self, deed: &Meanwhile) {
        // Somebody else's failure is no event in this story: the client's request is carried out all the same.
        let result = match deed {
            Meanwhile::AddUser(described) => self.add_user(described).map(drop),
            Meanwhile::RemoveUser(id) => self.remove_user(*id),
            Meanwhile::AddGroup(described) => self.add_group_as(described).map(drop),
            Meanwhile::RemoveGroup(id) => self.remove_group(*id),
            Meanwhile::PatchUser { name, changes } => {
                self.id_of(name).and_then(|id| self.patch_user(id, changes))
            }
            Meanwhile::PutMember { group_id, name } => {
                self.id_of(name).and_then(|id| self.put_member(*group_id, id))
            }
            Meanwhile::TakeMember { group_id, name } => {
                self.id_of(name).and_then(|id| self.take_member(*group_id, id))
            }
            Meanwhile::RecreateGroup(id) => self.recreate_group(*id).map(drop),
            Meanwhile::LogOn(kind) => self.log_on_elsewhere(*kind),
        };
        if let Err(refusal) = result {
            tracing::warn!(error = %refusal, "the outside hand was refused");
        }
    }
}
