//! A pure state model of one CyberArk vault, in the cloud or self-hosted, in the product's dialect or the guide's.
//!
//! Must hold: an answer follows from the state, the moment and the call alone; every accepted write of the client is
//! in the journal, nothing else is. Deliberately not here: sockets, faults, a clock.

mod body;
mod groups;
mod journal;
mod listing;
mod outside;
mod routes;
mod safes;
mod sessions;
mod user;
mod users;
mod wire;

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::chance::Chance;
pub use journal::{JournalEntry, WireEntry};
pub use sessions::{Challenge, Product, SessionKind};
pub use user::Dialect;
pub use wire::{Answer, Body, Call, Refusal};

use journal::Deed;
use safes::Safe;
use sessions::Sessions;
use user::{Source, Standing, User};

/// What the service user may do in the tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Read and write users and groups.
    Manage,
    /// *Audit users* only: every write is refused with 403.
    Audit,
}

/// Whether the vault keeps what is written into `description`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Descriptions {
    /// Kept and given back.
    Kept,
    /// Dropped without a word.
    Dropped,
}

/// Whether `/disable/` and `/enable/` exist in the product's dialect (they do since version 12.6). The guide's has
/// never heard of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DisableCall {
    /// Both calls exist.
    Offered,
    /// The version is older: 404.
    Unknown,
    /// The version is older, and what stands in front of it knows the path but not the method: 405.
    NotAllowed,
}

/// Whether `/Users/{id}/safes` tells the safes that a user may enter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SafeList {
    /// It does.
    Offered,
    /// The service user may not read them: 403.
    Forbidden,
    /// The version is older: 404.
    Unknown,
}

/// Whether the vault tells who is in which group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MembershipList {
    /// A user's record lists its groups, and a list of groups their members where that is asked for.
    Offered,
    /// The version is older: the record's list is empty for everybody, and nobody is listed in a group.
    Unknown,
}

/// A user type that the licence covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LicensedType {
    /// Such as `EPVUser`.
    pub name: String,
    /// How many users may have it; none means any number.
    pub seats: Option<usize>,
}

/// Whether the password of a disabled user can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetOfDisabled {
    /// It can.
    Taken,
    /// The user must be enabled first: 403.
    Refused,
}

/// What the vault demands of a password, besides the 39 characters it can store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// Fewest characters.
    pub min_length: usize,
    /// How many of the four classes (upper, lower, digit, other) must occur.
    pub min_classes: usize,
}

/// The most characters that the vault takes as a password.
const LONGEST_PASSWORD: usize = 39;

/// How a tenant is set up.
#[derive(Clone)]
pub struct TenantOptions {
    /// How a client is let in.
    pub product: Product,
    /// Whose account of the API it follows.
    pub dialect: Dialect,
    /// Where its ids and tokens begin.
    pub seed: u64,
    /// The service user's login name.
    pub client_id: String,
    /// The service user's secret, or its password in a self-hosted vault.
    pub client_secret: SecretString,
    /// How long a token lives, in seconds.
    pub token_lifetime_seconds: i64,
    /// How long a session lives without being used, in seconds.
    pub session_idle_seconds: i64,
    /// With so many wrong passwords in a row a user is suspended.
    pub most_wrong_passwords: u32,
    /// Whether a log-on asks for a second answer.
    pub challenge: Challenge,
    /// How many items a list call without a limit returns.
    pub page_size: usize,
    /// No list gives more items at once, whatever is asked for, nor a word that there are more.
    pub silent_page_cap: Option<usize>,
    /// Whether `description` is kept.
    pub descriptions: Descriptions,
    /// Whether `/disable/` exists.
    pub disable_call: DisableCall,
    /// Whether a user's safes can be listed.
    pub safe_list: SafeList,
    /// Whether memberships are told.
    pub membership_list: MembershipList,
    /// What the service user may do.
    pub rights: Rights,
    /// The licensed user types.
    pub user_types: Vec<LicensedType>,
    /// The password policy.
    pub password_policy: PasswordPolicy,
    /// So many passwords of a user, the one of today among them, are not taken again.
    pub remembered_passwords: usize,
    /// Whether the password of a disabled user can be set.
    pub reset_of_disabled: ResetOfDisabled,
    /// The locations that exist; none means that any is taken.
    pub locations: Option<Vec<String>>,
}

impl TenantOptions {
    /// A tenant of the cloud in the product's dialect, with everything licensed, tokens of 15 minutes, sessions of 20 and
    /// pages of 25.
    pub fn new(client_id: &str, client_secret: SecretString) -> Self {
        let licensed = |name: &str| LicensedType { name: name.to_owned(), seats: None };
        Self {
            product: Product::PrivilegeCloud,
            dialect: Dialect::Product,
            seed: 1,
            client_id: client_id.to_owned(),
            client_secret,
            token_lifetime_seconds: 900,
            session_idle_seconds: 1200,
            most_wrong_passwords: 5,
            challenge: Challenge::None,
            page_size: 25,
            silent_page_cap: None,
            descriptions: Descriptions::Kept,
            disable_call: DisableCall::Offered,
            safe_list: SafeList::Offered,
            membership_list: MembershipList::Offered,
            rights: Rights::Manage,
            user_types: ["EPVUser", "BasicUser", "ExtUser", "BizUser"].map(licensed).to_vec(),
            password_policy: PasswordPolicy { min_length: 8, min_classes: 4 },
            remembered_passwords: 5,
            reset_of_disabled: ResetOfDisabled::Taken,
            locations: None,
        }
    }
}

/// A group of the vault.
#[derive(Debug, Clone)]
struct Group {
    id: i64,
    name: String,
    /// `Vault` or `Directory`.
    kind: String,
    description: String,
    location: String,
    members: Vec<i64>,
}

impl Group {
    fn is_directory(&self) -> bool {
        self.kind == "Directory"
    }
}

/// The tenant: its users, groups, safes, tokens and memory. No `Debug`: it holds secrets.
pub struct Tenant {
    options: TenantOptions,
    chance: Chance,
    users: BTreeMap<i64, User>,
    groups: BTreeMap<i64, Group>,
    safes: Vec<Safe>,
    tokens: BTreeMap<String, DateTime<Utc>>,
    sessions: Sessions,
    journal: Vec<JournalEntry>,
}

impl Tenant {
    /// A tenant with nobody in it but the built-in and component users.
    pub fn new(options: TenantOptions) -> Self {
        let chance = Chance::seeded(options.seed);
        let mut tenant = Self {
            options,
            chance,
            users: BTreeMap::new(),
            groups: BTreeMap::new(),
            safes: Vec::new(),
            tokens: BTreeMap::new(),
            sessions: Sessions::default(),
            journal: Vec::new(),
        };
        tenant.furnish();
        tenant
    }

    fn furnish(&mut self) {
        let built_in = [
            (2, "Administrator", Standing::BuiltIn, "Built-InAdmins"),
            (3, "Batch", Standing::Hidden, "Built-InAdmins"),
            (4, "Master", Standing::Hidden, "Built-InAdmins"),
            (5, "Backup", Standing::BuiltIn, "Built-InAdmins"),
            (6, "DR", Standing::BuiltIn, "Built-InAdmins"),
            (7, "Auditor", Standing::BuiltIn, "Built-InAdmins"),
            (8, "NotificationEngine", Standing::BuiltIn, "Built-InAdmins"),
            (12, "PasswordManager", Standing::Component, "CPM"),
            (13, "PVWAAppUser", Standing::Component, "PVWA"),
        ];
        for (id, name, standing, user_type) in built_in {
            self.furnish_user(id, name, (standing, user_type));
        }
        // The service user of the cloud is kept by the platform; that of a self-hosted vault is one of its users.
        if self.options.product == Product::SelfHosted {
            let name = self.options.client_id.clone();
            self.furnish_user(15, &name, (Standing::Person, "EPVUser"));
            if let Some(user) = self.users.get_mut(&15) {
                let rights = ["AddUpdateUsers", "AuditUsers", "ResetUsersPasswords", "ActivateUsers"];
                user.properties.insert("vaultAuthorization".to_owned(), json!(rights));
            }
            self.set_service_password(self.options.client_secret.clone());
        }
        for (id, name, members) in [(10, "Vault Admins", vec![2]), (11, "Auditors", vec![7])] {
            let (kind, location) = ("Vault".to_owned(), "\\".to_owned());
            let group =
                Group { id, name: name.to_owned(), kind, description: String::new(), location, members };
            self.groups.insert(id, group);
        }
    }

    fn furnish_user(&mut self, id: i64, name: &str, kind: (Standing, &str)) {
        let mut properties = user::defaults(self.options.dialect);
        properties["username"] = json!(name);
        properties["userType"] = json!(kind.1);
        properties["changePassOnNextLogon"] = json!(false);
        let user = User {
            id,
            source: Source::CyberArk,
            standing: kind.0,
            suspended: false,
            directory_name: String::new(),
            last_logon: 0,
            properties: properties.as_object_mut().map(std::mem::take).unwrap_or_default(),
            password: None,
            former_passwords: Vec::new(),
        };
        self.users.insert(id, user);
    }

    /// The accepted writes of the client, oldest first.
    pub fn journal(&self) -> &[JournalEntry] {
        &self.journal
    }

    fn write_down(&mut self, now: DateTime<Utc>, call: &Call, deed: Deed) {
        let (user_id, user_name) = deed.user.unzip();
        let (group_id, group_name) = deed.group.unzip();
        self.journal.push(JournalEntry {
            at: now,
            method: call.method.clone(),
            path: call.path.clone(),
            what: deed.what,
            user_id,
            user_name,
            group_id,
            group_name,
        });
    }

    fn fresh_id(&mut self) -> i64 {
        loop {
            let id = self.chance.vault_id();
            if !self.users.contains_key(&id) && !self.groups.contains_key(&id) {
                return id;
            }
        }
    }

    fn user_named(&self, name: &str) -> Option<&User> {
        self.users.values().find(|user| user.is_named(name))
    }

    fn group_named(&self, name: &str) -> Option<&Group> {
        self.groups.values().find(|group| group.name.to_lowercase() == name.to_lowercase())
    }

    /// Gives out a token for the right credentials; the answer of the identity service either way.
    fn token(&mut self, now: DateTime<Utc>, call: &Call) -> Answer {
        let form = listing::Query::parse(&String::from_utf8_lossy(&call.body));
        if form.get("grant_type") != Some("client_credentials") {
            return Answer::json(400, json!({ "error": "unsupported_grant_type" }));
        }
        let known = form.get("client_id") == Some(self.options.client_id.as_str())
            && form.get("client_secret") == Some(self.options.client_secret.expose_secret());
        if !known {
            let reason = "invalid client creds or client not allowed";
            return Answer::json(401, json!({ "error": "access_denied", "error_description": reason }));
        }
        let lifetime = self.options.token_lifetime_seconds;
        let token = format!(
            "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{}.{}",
            self.chance.letters(48),
            self.chance.letters(43)
        );
        self.tokens.insert(token.clone(), now + TimeDelta::seconds(lifetime));
        Answer::json(200, json!({ "access_token": token, "token_type": "Bearer", "expires_in": lifetime }))
    }

    fn let_in(&mut self, now: DateTime<Utc>, call: &Call) -> Result<(), Refusal> {
        match self.options.product {
            Product::PrivilegeCloud => self.check_token(now, call),
            Product::SelfHosted => self.let_in_by_session(now, call),
        }
    }

    fn check_token(&self, now: DateTime<Utc>, call: &Call) -> Result<(), Refusal> {
        let header = call.authorization.as_deref().unwrap_or("");
        let token = header.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let expiry = token.and_then(|(_, token)| self.tokens.get(token.trim()));
        expiry.filter(|expiry| now < **expiry).map(|_| ()).ok_or_else(Refusal::bad_token)
    }

    fn check_password(&self, password: &str) -> Result<(), Refusal> {
        let policy = self.options.password_policy;
        let length = password.chars().count();
        if length > LONGEST_PASSWORD {
            return Err(Refusal::invalid(format!(
                "the password is longer than {LONGEST_PASSWORD} characters"
            )));
        }
        let classes: [fn(char) -> bool; 4] = [
            |c| c.is_ascii_uppercase(),
            |c| c.is_ascii_lowercase(),
            |c| c.is_ascii_digit(),
            |c| !c.is_ascii_alphanumeric(),
        ];
        let present = classes.iter().filter(|class| password.chars().any(**class)).count();
        if length < policy.min_length || present < policy.min_classes {
            let message = "The password does not meet the requirements of the vault's password policy.";
            return Err(Refusal::new(400, "SIM401E", message));
        }
        Ok(())
    }

    fn user_types(&self) -> Value {
        let types = self.options.user_types.iter();
        let listed: Vec<Value> = types.map(|licensed| json!({ "id": licensed.name })).collect();
        json!({ "UserTypes": listed })
    }
}

#[cfg(test)]
mod tests;
