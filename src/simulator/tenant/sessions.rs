//! The sessions of a self-hosted vault: who logs on, what ends a session, and when an account is suspended.
//!
//! Must hold: a session lives as long as it is used; without the wish for concurrent sessions on both sides a log-on
//! ends the user's earlier ones; a token is good only with the cookie of the web server that gave it out. The numbers
//! (idle time, wrong passwords) are options, because no two vaults have the same.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::ExposeSecret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Tenant;
use super::body::{property, text_of};
use super::user::Source;
use super::wire::{Answer, Call, Refusal};

/// Which product the tenant is, and so how a client is let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Tokens of the platform's identity service.
    PrivilegeCloud,
    /// Sessions of the vault itself.
    SelfHosted,
}

/// Does a log-on ask for a second answer?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Challenge {
    /// No.
    None,
    /// Yes, as a RADIUS server does: the password alone opens nothing.
    Asked,
}

/// What a log-on says about the other sessions of its user.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SessionKind {
    /// They may stay, if they were opened in the same spirit.
    Concurrent,
    /// They end.
    Single,
}

struct Session {
    user_id: i64,
    kind: SessionKind,
    used_at: DateTime<Utc>,
    node: String,
}

/// All sessions, and the wrong passwords since each user's last good one.
#[derive(Default)]
pub(super) struct Sessions {
    open: BTreeMap<String, Session>,
    wrong_passwords: BTreeMap<i64, u32>,
}

impl Tenant {
    /// Opens a session for the right password; the vault's answer either way.
    pub(super) fn log_on(&mut self, now: DateTime<Utc>, call: &Call) -> Result<Answer, Refusal> {
        let body = call.json()?;
        let (Some(name), Some(password)) = (text_of(&body, "username"), text_of(&body, "password")) else {
            return Err(Refusal::invalid("username and password are needed"));
        };
        let user_id = self.authenticated(name, password)?;
        if self.options.challenge == Challenge::Asked {
            return Err(Refusal::new(500, "ITATS542I", "Enter the code that was sent to you."));
        }
        let concurrent = property(&body, "concurrentSession") == Some(&Value::Bool(true));
        let kind = if concurrent { SessionKind::Concurrent } else { SessionKind::Single };
        let (token, node) = self.open_session(now, user_id, kind);
        let cookie = Some(format!("node={node}; path=/PasswordVault; HttpOnly"));
        Ok(Answer { cookie, ..Answer::json(200, json!(token)) })
    }

    fn authenticated(&mut self, name: &str, password: &str) -> Result<i64, Refusal> {
        let failed = || Refusal::new(403, "ITATS004E", format!("Authentication failure for User [{name}]."));
        let user = self.user_named(name).filter(|user| user.source == Source::CyberArk).ok_or_else(failed)?;
        let id = user.id;
        if user.suspended {
            return Err(Refusal::new(403, "ITATS002E", format!("User [{name}] is suspended.")));
        }
        if !user.is_enabled() {
            return Err(Refusal::new(403, "ITATS005E", format!("User [{name}] is disabled.")));
        }
        if user.password.as_ref().is_some_and(|right| right.expose_secret() == password) {
            self.sessions.wrong_passwords.remove(&id);
            return Ok(id);
        }
        let wrong = self.sessions.wrong_passwords.entry(id).or_insert(0);
        *wrong += 1;
        if *wrong >= self.options.most_wrong_passwords
            && let Some(user) = self.users.get_mut(&id)
        {
            user.suspended = true;
            self.sessions.wrong_passwords.remove(&id);
        }
        Err(failed())
    }

    fn open_session(&mut self, now: DateTime<Utc>, user_id: i64, kind: SessionKind) -> (String, String) {
        self.sessions.open.retain(|_, other| {
            let both = kind == SessionKind::Concurrent && other.kind == SessionKind::Concurrent;
            other.user_id != user_id || both
        });
        let token = format!("AAEAAAD{}==", self.chance.letters(120));
        let node = self.chance.letters(6);
        let session = Session { user_id, kind, used_at: now, node: node.clone() };
        self.sessions.open.insert(token.clone(), session);
        if let Some(user) = self.users.get_mut(&user_id) {
            user.last_logon = now.timestamp();
        }
        (token, node)
    }

    /// Ends the session of this call.
    pub(super) fn log_off(&mut self, now: DateTime<Utc>, call: &Call) -> Result<Answer, Refusal> {
        self.check_session(now, call)?;
        self.sessions.open.remove(call.authorization.as_deref().unwrap_or(""));
        Ok(Answer::json(200, json!({})))
    }

    /// Whose session this is; being used, it lives on.
    fn check_session(&mut self, now: DateTime<Utc>, call: &Call) -> Result<i64, Refusal> {
        let limit = TimeDelta::seconds(self.options.session_idle_seconds);
        let session = self.sessions.open.get_mut(call.authorization.as_deref().unwrap_or(""));
        let session = session.filter(|session| {
            let node = format!("node={}", session.node);
            let cookies = call.cookies.as_deref().unwrap_or("");
            now - session.used_at < limit && cookies.split(';').any(|pair| pair.trim() == node)
        });
        let session = session.ok_or_else(Refusal::bad_token)?;
        session.used_at = now;
        Ok(session.user_id)
    }

    /// Lets a call in that belongs to a session of the service user; nobody else may manage anything.
    pub(super) fn let_in_by_session(&mut self, now: DateTime<Utc>, call: &Call) -> Result<(), Refusal> {
        let user_id = self.check_session(now, call)?;
        let is_service = self.users.get(&user_id).is_some_and(|user| user.is_named(&self.options.client_id));
        if is_service { Ok(()) } else { Err(Refusal::not_authorised()) }
    }

    /// Another process logs on with the service user's name and password.
    pub fn log_on_elsewhere(&mut self, now: DateTime<Utc>, kind: SessionKind) -> Result<(), Refusal> {
        let id = self.id_of(&self.options.client_id)?;
        self.open_session(now, id, kind);
        Ok(())
    }

    /// How many sessions stand at this moment.
    pub fn open_sessions(&self, now: DateTime<Utc>) -> usize {
        let limit = TimeDelta::seconds(self.options.session_idle_seconds);
        self.sessions.open.values().filter(|session| now - session.used_at < limit).count()
    }

    /// Ends every session at once.
    pub(super) fn end_sessions(&mut self) {
        self.sessions.open.clear();
    }

    /// Ends the session of this token, if it is one.
    pub(super) fn end_session(&mut self, token: &str) {
        self.sessions.open.remove(token);
    }
}
