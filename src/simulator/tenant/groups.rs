//! `/UserGroups`: lists, members, and the two forms in which a member is named.
//!
//! Must hold: the product takes a member by *name*, so a number is the name of a user who may really be called that;
//! the guide takes a member by id and refuses names. Members of a directory group cannot be edited.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::body::{property, text_of};
use super::journal::Deed;
use super::listing::{Query, found};
use super::user::{Dialect, Source};
use super::wire::{Answer, Call, Refusal};
use super::{Group, MembershipList, Tenant};

impl Tenant {
    pub(super) fn list_groups(&self, call: &Call) -> Result<Answer, Refusal> {
        let query = Query::parse(&call.query);
        let conditions = query.filter()?;
        let (offset, limit) = query.page(&self.options)?;
        let mut all = Vec::new();
        for group in self.groups.values() {
            let mut fits = found(query.get("search"), &[&group.name, &group.description, &group.location]);
            for (name, wanted) in &conditions {
                let actual = match name.as_str() {
                    "grouptype" => &group.kind,
                    "groupname" => &group.name,
                    _ => return Err(Refusal::invalid("filter names an unknown property")),
                };
                fits &= actual.to_lowercase() == wanted.to_lowercase();
            }
            if fits {
                all.push(group);
            }
        }
        let page = all.iter().skip(offset).take(limit);
        let with_members = query.says_true("includeMembers");
        let items: Vec<Value> = page.map(|group| self.group_shown(group, with_members)).collect();
        let mut answer = json!({ "count": items.len(), "value": items });
        if offset + limit < all.len() && self.options.silent_page_cap.is_none() {
            answer["nextLink"] = json!(format!("api/UserGroups?{}", query.at(offset + limit, limit)));
        }
        Ok(Answer::json(200, answer))
    }

    pub(super) fn get_group(&self, call: &Call, id: i64) -> Result<Answer, Refusal> {
        let with_members = Query::parse(&call.query).get("includeMembers") != Some("false");
        Ok(Answer::json(200, self.group_shown(self.group(id)?, with_members)))
    }

    /// The group on the wire; `members` is absent when empty or not asked for.
    pub(super) fn group_shown(&self, group: &Group, with_members: bool) -> Value {
        let mut shown = json!({
            "id": group.id,
            "groupType": group.kind,
            "groupName": group.name,
            "description": group.description,
            "location": group.location,
        });
        if group.is_directory() {
            shown["directory"] = json!("corp.example");
            shown["dn"] = json!(format!("CN={},OU=Groups,DC=corp,DC=example", group.name));
        }
        let members = group.members.iter().filter_map(|id| self.users.get(id));
        let members: Vec<Value> =
            members.map(|user| json!({ "id": user.id, "username": user.name() })).collect();
        let told = self.options.membership_list == MembershipList::Offered;
        if told && with_members && !members.is_empty() {
            shown["members"] = Value::Array(members);
        }
        shown
    }

    pub(super) fn create_group(&mut self, now: DateTime<Utc>, call: &Call) -> Result<Answer, Refusal> {
        let body = call.json()?;
        let id = self.place_group(&body)?;
        let group = self.group(id)?;
        let shown = self.group_shown(group, false);
        let deed = Deed { what: "create_group", user: None, group: Some((id, group.name.clone())) };
        self.write_down(now, call, deed);
        Ok(Answer::json(201, shown))
    }

    /// A new group as a body describes it.
    pub(super) fn place_group(&mut self, body: &Value) -> Result<i64, Refusal> {
        let name =
            text_of(body, "groupName").ok_or_else(|| Refusal::invalid("groupName is missing"))?.to_owned();
        if self.group_named(&name).is_some() {
            return Err(Refusal::name_taken());
        }
        let id = self.fresh_id();
        let text = |key: &str, default: &str| text_of(body, key).unwrap_or(default).to_owned();
        let (description, location) = (text("description", ""), text("location", "\\"));
        let kind = "Vault".to_owned();
        self.groups.insert(id, Group { id, name, kind, description, location, members: Vec::new() });
        Ok(id)
    }

    pub(super) fn delete_group(
        &mut self,
        now: DateTime<Utc>,
        call: &Call,
        id: i64,
    ) -> Result<Answer, Refusal> {
        let group = Some((id, self.group(id)?.name.clone()));
        self.groups.remove(&id);
        self.forget_in_safes(id);
        self.write_down(now, call, Deed { what: "delete_group", user: None, group });
        Ok(Answer::empty(204))
    }

    pub(super) fn add_member(&mut self, now: DateTime<Utc>, call: &Call, id: i64) -> Result<Answer, Refusal> {
        self.editable_group(id)?;
        let body = call.json()?;
        let user_id = match self.options.dialect {
            Dialect::Product => self.member_by_name(&body)?,
            Dialect::Guide => self.member_by_id(&body)?,
        };
        if self.group(id)?.members.contains(&user_id) {
            return Err(Refusal::new(409, "PASWS213E", "The member is already in the group."));
        }
        if let Some(group) = self.groups.get_mut(&id) {
            group.members.push(user_id);
        }
        self.note_member(now, call, "add_member", (id, user_id));
        Ok(match self.options.dialect {
            Dialect::Product => {
                let name = self.user(user_id)?.name();
                Answer::json(201, json!({ "memberId": name, "memberType": "Vault" }))
            }
            Dialect::Guide => Answer::empty(201),
        })
    }

    fn member_by_name(&self, body: &Value) -> Result<i64, Refusal> {
        let kind = text_of(body, "memberType").unwrap_or("vault").to_lowercase();
        let missing = || Refusal::invalid("memberId is missing");
        let member = property(body, "memberId").ok_or_else(missing)?;
        // A number is read as text. So the guide's form adds whoever is *named* like the number, if there is one.
        if let Some(number) = member.as_i64() {
            let named = self.user_named(&number.to_string()).map(|user| user.id);
            return named.ok_or_else(|| match kind.as_str() {
                "vault" | "domain" => Refusal::no_such_user(&number.to_string()),
                _ => Refusal::invalid(format!("user [{number}] not found")),
            });
        }
        let name = member.as_str().filter(|name| !name.is_empty()).ok_or_else(missing)?;
        let user = self.user_named(name);
        let user = match kind.as_str() {
            "vault" => user,
            "domain" if text_of(body, "domainName").is_none() => {
                return Err(Refusal::invalid("domainName is missing"));
            }
            "domain" => user.filter(|user| user.source == Source::Ldap),
            _ => return Err(Refusal::invalid("memberType must be vault or domain")),
        };
        user.map(|user| user.id).ok_or_else(|| Refusal::no_such_user(name))
    }

    fn member_by_id(&self, body: &Value) -> Result<i64, Refusal> {
        let number = property(body, "memberId").and_then(Value::as_i64);
        let number = number.ok_or_else(|| Refusal::invalid("memberId must be a number"))?;
        if text_of(body, "memberType") != Some("User") {
            return Err(Refusal::invalid("memberType must be User"));
        }
        Ok(self.user(number)?.id)
    }

    pub(super) fn remove_member(
        &mut self,
        now: DateTime<Utc>,
        call: &Call,
        member: (i64, &str),
    ) -> Result<Answer, Refusal> {
        let (id, text) = member;
        self.editable_group(id)?;
        let user = match self.options.dialect {
            // The web server in front takes a last segment with a dot for a file, unless a slash ends it.
            Dialect::Product if text.contains('.') && !call.path.ends_with('/') => {
                return Ok(Answer::html(404, "404 - File or directory not found."));
            }
            Dialect::Product => self.user_named(text),
            Dialect::Guide => {
                let number = text.parse().map_err(|_| Refusal::invalid("memberId must be a number"))?;
                self.users.get(&number)
            }
        };
        let user_id = user.map(|user| user.id).ok_or_else(|| Refusal::no_such_user(text))?;
        if !self.group(id)?.members.contains(&user_id) {
            return Err(Refusal::new(404, "CAWS00003E", "The member is not in the group."));
        }
        self.note_member(now, call, "remove_member", (id, user_id));
        if let Some(group) = self.groups.get_mut(&id) {
            group.members.retain(|member| *member != user_id);
        }
        Ok(Answer::empty(204))
    }

    pub(super) fn group(&self, id: i64) -> Result<&Group, Refusal> {
        self.groups.get(&id).ok_or_else(|| Refusal::no_such_group(&id.to_string()))
    }

    fn editable_group(&self, id: i64) -> Result<(), Refusal> {
        if self.group(id)?.is_directory() {
            return Err(Refusal::invalid(format!("Can not add a member to directory group [{id}]")));
        }
        Ok(())
    }

    fn note_member(&mut self, now: DateTime<Utc>, call: &Call, what: &'static str, ids: (i64, i64)) {
        let (group_id, user_id) = ids;
        let group = self.groups.get(&group_id).map(|group| (group_id, group.name.clone()));
        let user = self.users.get(&user_id).map(|user| (user_id, user.name().to_owned()));
        self.write_down(now, call, Deed { what, user, group });
    }
}
