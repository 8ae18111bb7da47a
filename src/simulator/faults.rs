//! Faults on a script: which request meets which mishap, how often.
//!
//! Must hold: a fault says whether the vault's state changes before it strikes (`Moment`), because that is what a
//! careful client has to find out. The first due fault wins; every fault counts the requests that fit it.

use serde::Deserialize;
use serde_json::Value;

use super::tenant::{Call, SessionKind};

/// Which requests a fault is meant for. What is not said fits everything.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Matching {
    /// The HTTP method.
    pub method: Option<String>,
    /// A part of path and query, in any case.
    pub path_contains: Option<String>,
    /// Begin with the n-th fitting request, counted from 1.
    #[serde(default)]
    pub nth: u64,
}

/// Whether the request is carried out before the fault strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Moment {
    /// Nothing has been changed.
    #[default]
    Before,
    /// The request has been carried out; its answer is lost or replaced.
    After,
}

/// The mishap.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Another answer than the vault's.
    Status {
        /// The HTTP status.
        status: u16,
        /// The JSON body.
        body: Option<Value>,
        /// Seconds for `Retry-After`.
        retry_after: Option<u64>,
        /// Before or after the request is carried out.
        moment: Moment,
    },
    /// A slow answer. The request is carried out even if the client has gone by then.
    Delay {
        /// Milliseconds of real time.
        millis: u64,
        /// Whether the wait lies before or after the change.
        moment: Moment,
    },
    /// The connection closes; nothing was done.
    DropBefore,
    /// The request is carried out; then the connection closes without an answer.
    DropAfter,
    /// The connection closes without an answer; the request is carried out so many seconds later by the vault's clock.
    Late(u32),
    /// A gateway's HTML page with status 503; nothing was done.
    Html503,
    /// A gateway refuses with status 403 and repeats in its words how the request let itself in; nothing was done.
    RepeatsPass,
    /// The client's token ends just before the request is looked at.
    StaleToken,
    /// An outside hand does something just before the request is looked at.
    Meanwhile(Meanwhile),
}

/// What an outside hand does at a bad moment.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Meanwhile {
    /// Adds a user (JSON as for `POST /_sim/users`).
    AddUser(Value),
    /// Deletes the user with this number.
    RemoveUser(i64),
    /// Adds a group (JSON as for `POST /_sim/groups`).
    AddGroup(Value),
    /// Deletes the group with this number.
    RemoveGroup(i64),
    /// Changes the user of this name (JSON as for `PATCH /_sim/users/{id}`).
    PatchUser {
        /// The user's name.
        name: String,
        /// What to merge in.
        changes: Value,
    },
    /// Puts the user of this name into a group.
    PutMember {
        /// The group's number.
        group_id: i64,
        /// The user's name.
        name: String,
    },
    /// Takes the user of this name out of a group.
    TakeMember {
        /// The group's number.
        group_id: i64,
        /// The user's name.
        name: String,
    },
    /// Deletes the group with this number and makes it anew under another one.
    RecreateGroup(i64),
    /// Another process logs on with the service user's name and password.
    LogOn(SessionKind),
}

impl Effect {
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Status { .. } => "status",
            Self::Delay { .. } => "delay",
            Self::DropBefore => "drop_before",
            Self::DropAfter => "drop_after",
            Self::Late(_) => "late",
            Self::Html503 => "html_503",
            Self::RepeatsPass => "repeats_pass",
            Self::StaleToken => "stale_token",
            Self::Meanwhile(_) => "meanwhile",
        }
    }
}

/// One scripted fault.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Which requests.
    #[serde(rename = "match", default)]
    pub matching: Matching,
    /// How many of them.
    #[serde(default = "once")]
    pub times: u64,
    /// The mishap.
    #[serde(deserialize_with = "effect")]
    pub effect: Effect,
    #[serde(skip)]
    seen: u64,
    #[serde(skip)]
    struck: u64,
}

fn once() -> u64 {
    1
}

impl Fault {
    /// A fault that strikes the first `times` requests of this method whose path contains this text.
    pub fn on(method: &str, path_contains: &str, times: u64, effect: Effect) -> Self {
        let (method, path_contains) = (Some(method.to_owned()), Some(path_contains.to_owned()));
        Self { matching: Matching { method, path_contains, nth: 1 }, times, effect, seen: 0, struck: 0 }
    }

    /// The same fault, from the n-th fitting request on.
    #[must_use]
    pub fn from_nth(mut self, nth: u64) -> Self {
        self.matching.nth = nth;
        self
    }

    fn fits(&self, call: &Call) -> bool {
        let method = self.matching.method.as_deref();
        let part = self.matching.path_contains.as_deref();
        method.is_none_or(|method| method.eq_ignore_ascii_case(&call.method))
            && part.is_none_or(|part| call.target().to_lowercase().contains(&part.to_lowercase()))
    }
}

/// The faults in force.
#[derive(Debug, Default)]
pub(super) struct Script(Vec<Fault>);

impl Script {
    pub(super) fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// The mishap of this request, if one is due.
    pub(super) fn strike(&mut self, call: &Call) -> Option<Effect> {
        let mut effect = None;
        for fault in self.0.iter_mut().filter(|fault| fault.fits(call)) {
            fault.seen += 1;
            let due = fault.seen >= fault.matching.nth && fault.struck < fault.times;
            if due && effect.is_none() {
                fault.struck += 1;
                effect = Some(fault.effect.clone());
            }
        }
        effect
    }
}

/// An effect as JSON writes it: the words `"drop_before"`, `"drop_after"`, `"html_503"`, `"repeats_pass"`,
/// `"stale_token"` (also as `{"drop_before": true}`), or an object with `status`, `delay_ms`, `late_seconds` or `meanwhile`.
fn effect<'de, D: serde::Deserializer<'de>>(input: D) -> Result<Effect, D::Error> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Parts {
        status: Option<u16>,
        body: Option<Value>,
        retry_after: Option<u64>,
        delay_ms: Option<u64>,
        late_seconds: Option<u32>,
        #[serde(default)]
        moment: Moment,
        meanwhile: Option<Meanwhile>,
    }
    let wrong = || {
        serde::de::Error::custom(
            "effect must be a known word, or say status, delay_ms, late_seconds or meanwhile",
        )
    };
    let value = Value::deserialize(input)?;
    let only_key =
        value.as_object().filter(|keys| keys.len() == 1).and_then(|keys| keys.keys().next().cloned());
    let effect = match value.as_str().map(str::to_owned).or(only_key).as_deref() {
        Some("drop_before") => Effect::DropBefore,
        Some("drop_after") => Effect::DropAfter,
        Some("html_503") => Effect::Html503,
        Some("repeats_pass") => Effect::RepeatsPass,
        Some("stale_token") => Effect::StaleToken,
        _ => {
            let parts: Parts = serde_json::from_value(value).map_err(|_| wrong())?;
            let moment = parts.moment;
            match (parts.status, parts.delay_ms, parts.late_seconds, parts.meanwhile) {
                (Some(status), None, None, None) => {
                    Effect::Status { status, body: parts.body, retry_after: parts.retry_after, moment }
                }
                (None, Some(millis), None, None) => Effect::Delay { millis, moment },
                (None, None, Some(seconds), None) => Effect::Late(seconds),
                (None, None, None, Some(deed)) => Effect::Meanwhile(deed),
                _ => return Err(wrong()),
            }
        }
    };
    Ok(effect)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn call(method: &str, path: &str) -> Call {
        Call { method: method.to_owned(), path: path.to_owned(), ..Call::default() }
    }

    #[test]
    fn a_fault_strikes_from_the_nth_request_for_so_many_times() {
        let fault = json!({
            "match": { "method": "post", "path_contains": "/users", "nth": 2 }, "times": 2, "effect": "drop_after"
        });
        let mut script = Script::default();
        script.add(serde_json::from_value(fault).unwrap());
        let strikes: Vec<bool> =
            (0..5).map(|_| script.strike(&call("POST", "/API/Users")).is_some()).collect();
        assert_eq!(strikes, [false, true, true, false, false]);
        assert!(script.strike(&call("GET", "/API/Users")).is_none());
    }

    #[test]
    fn effects_are_read_in_all_their_forms() {
        let read =
            |effect: Value| serde_json::from_value::<Fault>(json!({ "effect": effect })).map(|f| f.effect);
        assert_eq!(read(json!({ "drop_before": true })).unwrap(), Effect::DropBefore);
        assert_eq!(
            read(json!({ "delay_ms": 5, "moment": "after" })).unwrap(),
            Effect::Delay { millis: 5, moment: Moment::After }
        );
        assert_eq!(read(json!({ "late_seconds": 30 })).unwrap(), Effect::Late(30));
        let status = Effect::Status { status: 429, body: None, retry_after: Some(2), moment: Moment::Before };
        assert_eq!(read(json!({ "status": 429, "retry_after": 2 })).unwrap(), status);
        assert_eq!(
            read(json!({ "meanwhile": { "remove_group": 5 } })).unwrap(),
            Effect::Meanwhile(Meanwhile::RemoveGroup(5))
        );
        for wrong in [json!("explode"), json!({ "status": 500, "delay_ms": 1 }), json!({ "staus": 500 })] {
            assert!(read(wrong).is_err());
        }
    }
}
