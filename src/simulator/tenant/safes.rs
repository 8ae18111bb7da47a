//! Safes and who may enter them, as far as `/Users/{id}/safes` tells it.
//!
//! Must hold: a user enters a safe as its member or through a group that is one. The fields of a listed safe are not
//! public; they are named here as in the same interface's list of safes. Deliberately not here: what a member may do
//! in a safe, and every write; safes come and go by an outside hand alone.

use serde_json::{Value, json};

use super::body::{property, text_of};
use super::listing::Query;
use super::wire::{Answer, Call, Refusal};
use super::{SafeList, Tenant};

/// A safe of the vault.
#[derive(Debug, Clone)]
pub(super) struct Safe {
    name: String,
    /// Numbers of users and groups.
    members: Vec<i64>,
}

impl Tenant {
    pub(super) fn list_safes(&self, call: &Call, user_id: i64) -> Result<Answer, Refusal> {
        if self.options.safe_list == SafeList::Forbidden {
            return Err(Refusal::not_authorised());
        }
        self.user(user_id)?;
        let (offset, limit) = Query::parse(&call.query).page(&self.options)?;
        let enters = |member: &i64| {
            *member == user_id
                || self.groups.get(member).is_some_and(|group| group.members.contains(&user_id))
        };
        let all: Vec<&Safe> = self.safes.iter().filter(|safe| safe.members.iter().any(enters)).collect();
        let page = all.iter().skip(offset).take(limit);
        let items: Vec<Value> = page
            .map(|safe| json!({ "safeUrlId": safe.name, "safeName": safe.name, "location": "\\" }))
            .collect();
        let total = if self.options.silent_page_cap.is_some() { items.len() } else { all.len() };
        Ok(Answer::json(200, json!({ "Safes": items, "Total": total })))
    }

    /// A safe as JSON describes it: `safeName`, and perhaps `members` (names of users or groups).
    pub fn add_safe(&mut self, described: &Value) -> Result<(), Refusal> {
        let name = text_of(described, "safeName").ok_or_else(|| Refusal::invalid("safeName is missing"))?;
        if self.safes.iter().any(|safe| safe.is_named(name)) {
            return Err(Refusal::name_taken());
        }
        let members = property(described, "members").and_then(Value::as_array).into_iter().flatten();
        let members = members.map(|member| self.member_of_a_safe(member.as_str().unwrap_or("")));
        let members = members.collect::<Result<_, _>>()?;
        self.safes.push(Safe { name: name.to_owned(), members });
        Ok(())
    }

    /// Lets a user or group of this name into a safe; already there is no fault.
    pub fn let_into_safe(&mut self, safe: &str, member: &str) -> Result<(), Refusal> {
        let id = self.member_of_a_safe(member)?;
        let members = &mut self.safe_named(safe)?.members;
        if !members.contains(&id) {
            members.push(id);
        }
        Ok(())
    }

    /// Takes a user or group of this name out of a safe; not there is no fault.
    pub fn put_out_of_safe(&mut self, safe: &str, member: &str) -> Result<(), Refusal> {
        let id = self.member_of_a_safe(member)?;
        self.safe_named(safe)?.members.retain(|member| *member != id);
        Ok(())
    }

    /// A user or group that is no more is a member of nothing.
    pub(super) fn forget_in_safes(&mut self, id: i64) {
        for safe in &mut self.safes {
            safe.members.retain(|member| *member != id);
        }
    }

    /// The safes with the names of their members.
    pub(super) fn safes_shown(&self) -> Value {
        let name = |id: &i64| {
            let user = self.users.get(id).map(|user| user.name().to_owned());
            user.or_else(|| self.groups.get(id).map(|group| group.name.clone()))
        };
        let shown = self.safes.iter().map(|safe| {
            let members: Vec<String> = safe.members.iter().filter_map(name).collect();
            json!({ "safeName": safe.name, "members": members })
        });
        Value::Array(shown.collect())
    }

    fn member_of_a_safe(&self, name: &str) -> Result<i64, Refusal> {
        let user = self.user_named(name).map(|user| user.id);
        let id = user.or_else(|| self.group_named(name).map(|group| group.id));
        id.ok_or_else(|| Refusal::no_such_user(name))
    }

    fn safe_named(&mut self, name: &str) -> Result<&mut Safe, Refusal> {
        let safe = self.safes.iter_mut().find(|safe| safe.is_named(name));
        safe.ok_or_else(|| Refusal::new(404, "SFWS0007", format!("Safe [{name}] was not found.")))
    }
}

impl Safe {
    fn is_named(&self, name: &str) -> bool {
        self.name.to_lowercase() == name.to_lowercase()
    }
}
