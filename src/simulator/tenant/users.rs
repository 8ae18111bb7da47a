//! `/Users`: what each call does, and how a user looks on the wire.
//!
//! Must hold: PUT is a full replacement in both dialects; a name is unique without regard to case; list items carry
//! neither `enableUser` nor `suspended` unless details are asked for; users mastered by a directory refuse changes.

use chrono::{DateTime, Utc};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::body::{property, text_of};
use super::journal::Deed;
use super::listing::{Query, found};
use super::user::{Dialect, FLAT, PRODUCT_ONLY, Source, Standing, User, properties_from};
use super::wire::{Answer, Call, Refusal};
use super::{Descriptions, MembershipList, ResetOfDisabled, Tenant};

/// A switch that a single call turns.
#[derive(Debug, Clone, Copy)]
pub(super) enum Turn {
    Enable,
    Disable,
    Activate,
}

impl Tenant {
    pub(super) fn list_users(&self, call: &Call) -> Result<Answer, Refusal> {
        let query = Query::parse(&call.query);
        let mut conditions = query.filter()?;
        for name in ["userName", "userType", "componentUser", "source", "userStatus"] {
            conditions.extend(query.get(name).map(|value| (name.to_ascii_lowercase(), value.to_owned())));
        }
        let (offset, limit) = query.page(&self.options)?;
        let mut all = Vec::new();
        for user in self.users.values().filter(|user| user.standing != Standing::Hidden) {
            let person =
                [user.name(), user.text("personalDetails/firstName"), user.text("personalDetails/lastName")];
            if found(query.get("search"), &person) && meets(user, &conditions)? {
                all.push(user);
            }
        }
        let page = all.iter().skip(offset).take(limit);
        let items: Vec<Value> =
            page.map(|user| self.list_item(user, query.says_true("ExtendedDetails"))).collect();
        let total = if self.options.silent_page_cap.is_some() { items.len() } else { all.len() };
        Ok(Answer::json(200, json!({ "Users": items, "Total": total })))
    }

    fn list_item(&self, user: &User, detailed: bool) -> Value {
        let mut item = self.shown(user);
        let mut kept =
            vec!["id", "username", "source", "userType", "componentUser", "vaultAuthorization", "location"];
        kept.extend(["personalDetails", "firstName", "lastName", "email"]);
        if detailed {
            kept.extend(["groupsMembership", "userDN", "enableUser", "suspended"]);
        }
        if let Some(keys) = item.as_object_mut() {
            keys.retain(|key, _| kept.contains(&key.as_str()));
        }
        if let Some(person) = item.get_mut("personalDetails").and_then(Value::as_object_mut) {
            person.retain(|key, _| ["firstName", "middleName", "lastName"].contains(&key.as_str()));
        }
        item
    }

    pub(super) fn get_user(&self, id: i64) -> Result<Answer, Refusal> {
        Ok(Answer::json(200, self.shown(self.user(id)?)))
    }

    pub(super) fn create_user(&mut self, now: DateTime<Utc>, call: &Call) -> Result<Answer, Refusal> {
        let body = call.json()?;
        let properties = self.accepted(&body, None)?;
        let password = text_of(&body, "initialPassword").unwrap_or("");
        let by_password = properties.get("authenticationMethod").and_then(Value::as_array);
        if by_password.is_some_and(|methods| methods.contains(&json!("AuthTypePass"))) || !password.is_empty()
        {
            self.check_password(password)?;
        }
        if self.options.dialect == Dialect::Guide && text_of(&body, "userType").is_none() {
            return Err(Refusal::invalid("userType is missing"));
        }
        self.check_licence(&properties)?;
        let id = self.fresh_id();
        let user = User {
            id,
            source: Source::CyberArk,
            standing: Standing::Person,
            suspended: false,
            directory_name: String::new(),
            last_logon: now.timestamp(),
            properties,
            password: Some(SecretString::from(password)),
            former_passwords: Vec::new(),
        };
        let shown = self.shown(&user);
        let deed = Deed { what: "create_user", user: Some((id, user.name().to_owned())), group: None };
        self.users.insert(id, user);
        self.write_down(now, call, deed);
        Ok(Answer::json(201, shown))
    }

    pub(super) fn update_user(
        &mut self,
        now: DateTime<Utc>,
        call: &Call,
        id: i64,
    ) -> Result<Answer, Refusal> {
        let body = call.json()?;
        self.own_user(id)?;
        let properties = self.accepted(&body, Some(id))?;
        if let Some(user) = self.users.get_mut(&id) {
            user.properties = properties;
        }
        self.note_user(now, call, "update_user", id);
        self.get_user(id)
    }

    pub(super) fn turn_user(
        &mut self,
        now: DateTime<Utc>,
        call: &Call,
        turn: (i64, Turn),
    ) -> Result<Answer, Refusal> {
        let (id, turn) = turn;
        self.own_user(id)?;
        let what = match turn {
            Turn::Enable => "enable_user",
            Turn::Disable => "disable_user",
            Turn::Activate => "activate_user",
        };
        if let Some(user) = self.users.get_mut(&id) {
            match turn {
                Turn::Enable => drop(user.properties.insert("enableUser".to_owned(), json!(true))),
                Turn::Disable => drop(user.properties.insert("enableUser".to_owned(), json!(false))),
                Turn::Activate => user.suspended = false,
            }
        }
        self.note_user(now, call, what, id);
        Ok(Answer::empty(200))
    }

    pub(super) fn reset_password(
        &mut self,
        now: DateTime<Utc>,
        call: &Call,
        id: i64,
    ) -> Result<Answer, Refusal> {
        let body = call.json()?;
        self.own_user(id)?;
        if property(&body, "id").and_then(Value::as_i64) != Some(id) {
            return Err(Refusal::invalid("id is missing, or is not the number in the path"));
        }
        let password =
            text_of(&body, "newPassword").ok_or_else(|| Refusal::invalid("newPassword is missing"))?;
        self.check_password(password)?;
        let remembered = self.options.remembered_passwords;
        if self.user(id)?.has_had(password, remembered) {
            return Err(Refusal::new(400, "SIM402E", "The password was used before."));
        }
        if self.options.reset_of_disabled == ResetOfDisabled::Refused && !self.user(id)?.is_enabled() {
            return Err(Refusal::new(403, "SIM403E", "The user is disabled."));
        }
        if let Some(user) = self.users.get_mut(&id) {
            user.give_password(password);
        }
        self.note_user(now, call, "reset_password", id);
        Ok(Answer::empty(200))
    }

    pub(super) fn delete_user(
        &mut self,
        now: DateTime<Utc>,
        call: &Call,
        id: i64,
    ) -> Result<Answer, Refusal> {
        if self.user(id)?.standing != Standing::Person {
            return Err(Refusal::not_authorised());
        }
        self.note_user(now, call, "delete_user", id);
        self.forget_user(id);
        Ok(Answer::empty(204))
    }

    /// Whether this is the user's password; how a test proves that a handed-over password works.
    pub fn password_is(&self, id: i64, password: &str) -> bool {
        let kept = self.users.get(&id).and_then(|user| user.password.as_ref());
        kept.is_some_and(|kept| kept.expose_secret() == password)
    }

    pub(super) fn user(&self, id: i64) -> Result<&User, Refusal> {
        self.users.get(&id).ok_or_else(|| Refusal::no_such_user(&id.to_string()))
    }

    /// The user, if the vault is its master and may change it.
    fn own_user(&self, id: i64) -> Result<(), Refusal> {
        let user = self.user(id)?;
        match (user.source, user.standing) {
            (Source::Ldap, _) => Err(Refusal::external_user()),
            (Source::CyberArk, Standing::Person) => Ok(()),
            (Source::CyberArk, Standing::BuiltIn | Standing::Hidden | Standing::Component) => {
                Err(Refusal::not_authorised())
            }
        }
    }

    /// The properties that a create or update body stands for, if the vault takes them for user `id`.
    fn accepted(&self, body: &Value, id: Option<i64>) -> Result<Map<String, Value>, Refusal> {
        let mut properties = properties_from(self.options.dialect, body)?;
        let name = properties.get("username").and_then(Value::as_str).unwrap_or("").to_owned();
        if name.is_empty() {
            return Err(Refusal::invalid("username is missing"));
        }
        if self.user_named(&name).is_some_and(|other| Some(other.id) != id) {
            return Err(Refusal::name_taken());
        }
        let user_type = properties.get("userType").and_then(Value::as_str).unwrap_or("");
        if !self.options.user_types.iter().any(|licensed| licensed.name == user_type) {
            return Err(Refusal::invalid("userType is not licensed"));
        }
        let location = properties.get("location").and_then(Value::as_str).unwrap_or("").to_lowercase();
        let known = |locations: &Vec<String>| locations.iter().any(|known| known.to_lowercase() == location);
        if location != "\\" && !self.options.locations.as_ref().is_none_or(known) {
            return Err(Refusal::invalid("location does not exist"));
        }
        match self.options.descriptions {
            Descriptions::Kept => {}
            Descriptions::Dropped => drop(properties.insert("description".to_owned(), json!(""))),
        }
        Ok(properties)
    }

    fn check_licence(&self, properties: &Map<String, Value>) -> Result<(), Refusal> {
        let user_type = properties.get("userType").and_then(Value::as_str).unwrap_or("");
        let taken = self.users.values().filter(|user| user.text("userType") == user_type).count();
        let licensed = self.options.user_types.iter().find(|licensed| licensed.name == user_type);
        match licensed.and_then(|licensed| licensed.seats) {
            Some(seats) if taken >= seats => {
                Err(Refusal::new(403, "CAWS00001E", "The licence covers no further user of this type."))
            }
            Some(_) | None => Ok(()),
        }
    }

    fn note_user(&mut self, now: DateTime<Utc>, call: &Call, what: &'static str, id: i64) {
        let user = self.users.get(&id).map(|user| (id, user.name().to_owned()));
        self.write_down(now, call, Deed { what, user, group: None });
    }

    /// The user as this dialect writes it.
    fn shown(&self, user: &User) -> Value {
        let mut shown = self.full_form(user);
        if self.options.membership_list == MembershipList::Unknown {
            shown["groupsMembership"] = json!([]);
        }
        match self.options.dialect {
            Dialect::Product => {}
            Dialect::Guide => {
                for (name, object, key) in FLAT {
                    shown[name] = shown[object][key].take();
                }
                if let Some(keys) = shown.as_object_mut() {
                    keys.retain(|key, _| !PRODUCT_ONLY.contains(&key.as_str()));
                }
            }
        }
        shown
    }

    /// The user with every field the vault has, in the product's shape.
    pub(super) fn full_form(&self, user: &User) -> Value {
        let groups = self.groups.values().filter(|group| group.members.contains(&user.id));
        let membership: Vec<Value> = groups
            .map(|group| json!({ "groupID": group.id, "groupName": group.name, "groupType": group.kind }))
            .collect();
        let mut shown = json!({
            "id": user.id,
            "source": user.source.as_str(),
            "componentUser": user.standing == Standing::Component,
            "groupsMembership": membership,
            "userDN": user.directory_name,
            "suspended": user.suspended,
            "lastSuccessfulLoginDate": user.last_logon,
        });
        for (key, value) in &user.properties {
            shown[key] = value.clone();
        }
        shown
    }
}

fn meets(user: &User, conditions: &[(String, String)]) -> Result<bool, Refusal> {
    for (name, wanted) in conditions {
        let status = match (user.suspended, user.is_enabled()) {
            (true, _) => "Suspended",
            (false, true) => "Active",
            (false, false) => "Disabled",
        };
        let component = if user.standing == Standing::Component { "true" } else { "false" };
        let actual = match name.as_str() {
            "username" => user.name(),
            "usertype" => user.text("userType"),
            "componentuser" => component,
            "source" => user.source.as_str(),
            "userstatus" => status,
            _ => return Err(Refusal::invalid("filter names an unknown property")),
        };
        if actual.to_lowercase() != wanted.to_lowercase() {
            return Ok(false);
        }
    }
    Ok(true)
}
