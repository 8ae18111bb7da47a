//! What an outside hand does to the tenant: an administrator in the portal, or a test that sets the scene.
//!
//! Must hold: nothing here is written into the journal of the API client.

use secrecy::SecretString;
use serde_json::{Map, Value, json};

use super::body::{property, text_of};
use super::user::{self, Dialect, Source, Standing, User, overlaid};
use super::wire::Refusal;
use super::{Tenant, TenantOptions};

impl Tenant {
    /// A user as JSON in the product's nested shape describes it. Beside the properties it may say `id`, `source`
    /// (`LDAP`), `userDN`, `suspended`, `componentUser` and `groups` (names). Returns its number.
    pub fn add_user(&mut self, described: &Value) -> Result<i64, Refusal> {
        let mut properties = user::properties_from(Dialect::Product, described)?;
        if property(described, "changePassOnNextLogon").is_none() {
            properties.insert("changePassOnNextLogon".to_owned(), json!(false));
        }
        let name = text_of(described, "username").ok_or_else(|| Refusal::invalid("username is missing"))?;
        if self.user_named(name).is_some() {
            return Err(Refusal::name_taken());
        }
        let id = match property(described, "id").and_then(Value::as_i64) {
            Some(id) if self.users.contains_key(&id) => return Err(Refusal::name_taken()),
            Some(id) => id,
            None => self.fresh_id(),
        };
        let component = property(described, "componentUser") == Some(&json!(true));
        let user = User {
            id,
            source: Source::named(text_of(described, "source").unwrap_or("")),
            standing: if component { Standing::Component } else { Standing::Person },
            suspended: property(described, "suspended") == Some(&json!(true)),
            directory_name: text_of(described, "userDN").unwrap_or("").to_owned(),
            last_logon: 0,
            properties,
            password: text_of(described, "initialPassword").map(SecretString::from),
            former_passwords: Vec::new(),
        };
        self.users.insert(id, user);
        for group in property(described, "groups").and_then(Value::as_array).into_iter().flatten() {
            let name = group.as_str().unwrap_or("");
            let group_id = self.group_named(name).ok_or_else(|| Refusal::no_such_group(name))?.id;
            self.put_member(group_id, id)?;
        }
        Ok(id)
    }

    /// A group as JSON describes it: `groupName`, and perhaps `groupType`, `description`, `location`, `members`
    /// (user names). Returns its number.
    pub fn add_group(&mut self, described: &Value) -> Result<i64, Refusal> {
        let id = self.place_group(described)?;
        if let (Some(group), Some(kind)) = (self.groups.get_mut(&id), text_of(described, "groupType")) {
            kind.clone_into(&mut group.kind);
        }
        for member in property(described, "members").and_then(Value::as_array).into_iter().flatten() {
            let name = member.as_str().unwrap_or("");
            let user_id = self.user_named(name).ok_or_else(|| Refusal::no_such_user(name))?.id;
            self.put_member(id, user_id)?;
        }
        Ok(id)
    }

    /// The number of the user of this name (in any case).
    pub fn id_of(&self, name: &str) -> Result<i64, Refusal> {
        self.user_named(name).map(|user| user.id).ok_or_else(|| Refusal::no_such_user(name))
    }

    /// Deletes a user with its memberships.
    pub fn remove_user(&mut self, id: i64) -> Result<(), Refusal> {
        self.user(id)?;
        self.forget_user(id);
        Ok(())
    }

    pub(super) fn forget_user(&mut self, id: i64) {
        self.users.remove(&id);
        self.forget_in_safes(id);
        for group in self.groups.values_mut() {
            group.members.retain(|member| *member != id);
        }
    }

    /// Deletes a group.
    pub fn remove_group(&mut self, id: i64) -> Result<(), Refusal> {
        self.group(id)?;
        self.groups.remove(&id);
        self.forget_in_safes(id);
        Ok(())
    }

    /// Gives a group another name (`groupName`) or kind (`groupType`); what is not named stays.
    pub fn patch_group(&mut self, id: i64, changes: &Value) -> Result<(), Refusal> {
        self.group(id)?;
        let name = text_of(changes, "groupName");
        if name.and_then(|name| self.group_named(name)).is_some_and(|other| other.id != id) {
            return Err(Refusal::name_taken());
        }
        if let Some(group) = self.groups.get_mut(&id) {
            let kind = text_of(changes, "groupType");
            for (text, place) in [(name, &mut group.name), (kind, &mut group.kind)] {
                if let Some(text) = text {
                    text.clone_into(place);
                }
            }
        }
        Ok(())
    }

    /// Deletes a group and makes one of the same name, kind and place anew: it has another number and no members.
    pub fn recreate_group(&mut self, id: i64) -> Result<i64, Refusal> {
        let mut group = self.group(id)?.clone();
        self.remove_group(id)?;
        group.id = self.fresh_id();
        group.members.clear();
        let number = group.id;
        self.groups.insert(number, group);
        Ok(number)
    }

    /// Puts a user into a group; already there is no fault.
    pub fn put_member(&mut self, group_id: i64, user_id: i64) -> Result<(), Refusal> {
        self.user(user_id)?;
        self.group(group_id)?;
        if let Some(group) = self.groups.get_mut(&group_id)
            && !group.members.contains(&user_id)
        {
            group.members.push(user_id);
        }
        Ok(())
    }

    /// Takes a user out of a group; not there is no fault.
    pub fn take_member(&mut self, group_id: i64, user_id: i64) -> Result<(), Refusal> {
        self.group(group_id)?;
        if let Some(group) = self.groups.get_mut(&group_id) {
            group.members.retain(|member| *member != user_id);
        }
        Ok(())
    }

    /// Merges JSON in the product's nested shape into a user: what is not named stays. Beside the properties it may
    /// say `suspended`, `lastSuccessfulLoginDate`, `componentUser`, `source` (`LDAP`, `CyberArk`) and `userDN`.
    pub fn patch_user(&mut self, id: i64, changes: &Value) -> Result<(), Refusal> {
        let kept = Value::Object(self.user(id)?.properties.clone());
        let mut merged = overlaid(&kept, changes, "")?;
        let name = merged["username"].as_str().unwrap_or("");
        if self.user_named(name).is_some_and(|other| other.id != id) {
            return Err(Refusal::name_taken());
        }
        if let Some(user) = self.users.get_mut(&id) {
            user.properties = merged.as_object_mut().map(std::mem::take).unwrap_or_default();
            if let Some(suspended) = property(changes, "suspended").and_then(Value::as_bool) {
                user.suspended = suspended;
            }
            if let Some(moment) = property(changes, "lastSuccessfulLoginDate").and_then(Value::as_i64) {
                user.last_logon = moment;
            }
            if let Some(component) = property(changes, "componentUser").and_then(Value::as_bool) {
                user.standing = if component { Standing::Component } else { Standing::Person };
            }
            if let Some(source) = text_of(changes, "source") {
                user.source = Source::named(source);
            }
            if let Some(name) = text_of(changes, "userDN") {
                name.clone_into(&mut user.directory_name);
            }
        }
        Ok(())
    }

    /// Ends every token and every session at once.
    pub fn revoke_tokens(&mut self) {
        self.tokens.clear();
        self.end_sessions();
    }

    /// Gives the service user another secret or password. What stands open stays open.
    pub fn set_service_password(&mut self, password: SecretString) {
        let name = self.options.client_id.clone();
        if let Some(user) = self.users.values_mut().find(|user| user.is_named(&name)) {
            user.password = Some(password.clone());
        }
        self.options.client_secret = password;
    }

    /// Ends the token or session of one `Authorization` header.
    pub fn revoke_token(&mut self, authorization: &str) {
        let token = authorization.split_once(' ').map_or(authorization, |(_, token)| token.trim());
        self.tokens.remove(token);
        self.end_session(authorization);
    }

    /// How the tenant is set up; changes hold from the next call on.
    pub fn options_mut(&mut self) -> &mut TenantOptions {
        &mut self.options
    }

    /// Everything: users with all fields in the product's shape, groups and safes with members.
    pub fn state(&self) -> Value {
        let users: Vec<Value> = self.users.values().map(|user| self.full_form(user)).collect();
        let groups: Vec<Value> = self.groups.values().map(|group| self.group_shown(group, true)).collect();
        let mut state = Map::new();
        state.insert("users".to_owned(), Value::Array(users));
        state.insert("groups".to_owned(), Value::Array(groups));
        state.insert("safes".to_owned(), self.safes_shown());
        Value::Object(state)
    }
}
