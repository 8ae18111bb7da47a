//! Users: finding, reading and making them, in the nested shape of the product and the flat one of the guide.
//!
//! Must hold: a user is found by its exact name without case, never by what a search happens to return; the raw
//! record is kept beside its reading, so that fields nobody here knows survive a change.
//! Deliberately absent: whose account it is (see `holder.rs`) and changing it (see `put.rs`).

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::pages::{List, Raw, field, flag, id_of, number, text};
use super::talk::{Fault, Talk};
use crate::domain::ids::{VaultGroupId, VaultUserId};
use crate::domain::names::UserName;
use crate::domain::plan::{NewUser, UserShape};
use crate::domain::snapshot::{ComponentUser, GroupKind, MemberOf, ProfileField, UserSource, VaultUser};
use crate::target::Mark;

pub(super) const USERS: List<'static> = List { path: "Users", records: "Users" };

/// A user as one read showed it.
#[derive(Debug, Clone)]
pub(super) struct Account {
    pub(super) raw: Raw,
    pub(super) user: VaultUser,
}

/// How names and mail stand in the records of this vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Under `personalDetails` and `internet`, as the product keeps them.
    Nested,
    /// At the top, as the guide shows them.
    Flat,
}

impl Talk<'_> {
    /// The numbers of all users of exactly this name; the vault's search only contains it.
    pub(super) async fn users_named(&mut self, name: &str) -> Result<Vec<VaultUserId>, Fault> {
        let found = self.list(USERS, &[("search", name)]).await?;
        let exact = found
            .iter()
            .filter(|record| text(record, "username").is_some_and(|seen| seen.eq_ignore_ascii_case(name)));
        exact
            .map(|record| {
                id_of(record).map(VaultUserId).ok_or_else(|| {
                    Fault::NeedsPerson("the vault lists a user of that name without a number".to_owned())
                })
            })
            .collect()
    }

    /// The user of that number, if the vault has one.
    pub(super) async fn account(&mut self, id: VaultUserId) -> Result<Option<Account>, Fault> {
        let value = match self.get(&format!("Users/{id}"), &[]).await {
            Ok(value) => value,
            Err(fault) if fault.is_not_found() => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let strange =
            || Fault::NeedsPerson(format!("user number {id} has a record of a shape we do not know"));
        let Value::Object(raw) = value else { return Err(strange()) };
        let user = vault_user(&raw).filter(|user| user.id == id).ok_or_else(strange)?;
        Ok(Some(Account { raw, user }))
    }

    /// Which shape to write: the pinned one, or the one in which this vault answers.
    pub(super) async fn shape(&mut self, pinned: UserShape) -> Result<Shape, Fault> {
        match pinned {
            UserShape::Nested => return Ok(Shape::Nested),
            UserShape::Flat => return Ok(Shape::Flat),
            UserShape::Auto => {}
        }
        if let Some(shape) = self.pvwa.shape.get() {
            return Ok(*shape);
        }
        let answer = self.get(USERS.path, &[("limit", "1"), ("offset", "0")]).await?;
        let first = match &answer {
            Value::Object(answer) => field(answer, USERS.records).and_then(|users| users.get(0)?.as_object()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
        };
        // Our own account can always be seen; a vault that shows nobody is taken for the product.
        let Some(id) = first.and_then(id_of) else { return Ok(Shape::Nested) };
        let Some(account) = self.account(VaultUserId(id)).await? else {
            return Err(Fault::passing("the user whose record was to show the vault's shape has gone"));
        };
        Ok(*self.pvwa.shape.get_or_init(|| own_shape(&account)))
    }
}

/// The shape of this very record.
pub(super) fn own_shape(account: &Account) -> Shape {
    let nested = field(&account.raw, "personalDetails").is_some_and(Value::is_object);
    if nested { Shape::Nested } else { Shape::Flat }
}

/// Reads a record of either shape; `None` without number or name.
pub(super) fn vault_user(raw: &Raw) -> Option<VaultUser> {
    let inside = |holder: &str, name: &str| {
        let nested = field(raw, holder).and_then(Value::as_object).and_then(|inner| text(inner, name));
        nested.map(str::to_owned)
    };
    let flat = |name: &str| text(raw, name).map(str::to_owned);
    let personal = |name: &str| inside("personalDetails", name).or_else(|| flat(name));
    let profile = [
        (ProfileField::FirstName, personal("firstName")),
        (ProfileField::MiddleName, personal("middleName")),
        (ProfileField::LastName, personal("lastName")),
        (ProfileField::Email, inside("internet", "businessEmail").or_else(|| flat("email"))),
        (ProfileField::Title, personal("title")),
        (ProfileField::Organization, personal("organization")),
        (ProfileField::Department, personal("department")),
        (ProfileField::Location, flat("location")),
        (ProfileField::Description, flat("description")),
    ];
    let directory = text(raw, "source").is_some_and(|source| source.eq_ignore_ascii_case("LDAP"))
        || text(raw, "userDN").is_some();
    let component = flag(raw, "componentUser") == Some(true);
    let held = field(raw, "groupsMembership").and_then(Value::as_array);
    Some(VaultUser {
        id: VaultUserId(id_of(raw)?),
        user_name: flat("username")?,
        source: if directory { UserSource::Directory } else { UserSource::Vault },
        user_type: flat("userType").unwrap_or_default(),
        component: if component { ComponentUser::Yes } else { ComponentUser::No },
        enabled: flag(raw, "enableUser"),
        suspended: flag(raw, "suspended"),
        change_password_on_next_logon: flag(raw, "changePassOnNextLogon"),
        profile: profile.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(),
        groups: held.map(|list| memberships(list)),
        unnumbered_groups: held.map_or(0, |list| unnumbered(list)),
        authorizations: field(raw, "vaultAuthorization")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).map(str::to_owned).collect()),
    })
}

fn memberships(list: &[Value]) -> Vec<MemberOf> {
    let one = |item: &Value| {
        let item = item.as_object()?;
        let id = number_of_group(item)?;
        Some(MemberOf {
            id: VaultGroupId(id),
            name: text(item, "groupName").unwrap_or_default().to_owned(),
            kind: group_kind(text(item, "groupType")),
        })
    };
    list.iter().filter_map(one).collect()
}

/// How many entries name no group by its number.
fn unnumbered(list: &[Value]) -> u32 {
    let lost = list.iter().filter(|item| item.as_object().and_then(number_of_group).is_none());
    u32::try_from(lost.count()).unwrap_or(u32::MAX)
}

fn number_of_group(item: &Raw) -> Option<i64> {
    number(item, "groupID").or_else(|| id_of(item))
}

fn group_kind(told: Option<&str>) -> Option<GroupKind> {
    match told? {
        kind if kind.eq_ignore_ascii_case("Vault") => Some(GroupKind::Vault),
        kind if kind.eq_ignore_ascii_case("Directory") => Some(GroupKind::Directory),
        _ => None,
    }
}

/// The description of a new user: our mark, then the request's own words, cut to what the vault takes.
pub(super) fn description(mark: &Mark, request: Option<&str>) -> String {
    let whole = match request {
        Some(request) if !request.is_empty() => format!("{} {request}", mark.as_str()),
        Some(_) | None => mark.as_str().to_owned(),
    };
    let cut: String = whole.chars().take(ProfileField::Description.most()).collect();
    cut.trim_end().to_owned()
}

/// The body that makes a user. It does not ask for a password change; that is a step of its own.
pub(super) fn new_user_body(
    name: &UserName,
    user: &NewUser,
    shape: Shape,
    mark: &Mark,
    password: &SecretString,
) -> Value {
    let told = |field: ProfileField| user.profile.get(&field).filter(|value| !value.is_empty());
    let request = told(ProfileField::Description).map(String::as_str);
    let mut body = Map::new();
    let mut put = |key: &str, value: Value| body.insert(key.to_owned(), value);
    put("username", json!(name.as_str()));
    put("userType", json!(user.user_type.as_str()));
    put("initialPassword", json!(password.expose_secret()));
    put("location", json!(user.location.as_str()));
    put("enableUser", json!(true));
    put("authenticationMethod", json!(["AuthTypePass"]));
    put("description", json!(description(mark, request)));
    if let Some(end) = user.expires_at {
        put("expiryDate", json!(end.unix_seconds()));
    }
    let personal: Map<String, Value> = [
        ("firstName", ProfileField::FirstName),
        ("middleName", ProfileField::MiddleName),
        ("lastName", ProfileField::LastName),
        ("title", ProfileField::Title),
        ("organization", ProfileField::Organization),
        ("department", ProfileField::Department),
    ]
    .into_iter()
    .filter_map(|(key, field)| Some((key.to_owned(), json!(told(field)?))))
    .collect();
    let email = told(ProfileField::Email);
    match shape {
        Shape::Nested => {
            body.insert("personalDetails".to_owned(), Value::Object(personal));
            if let Some(email) = email {
                body.insert("internet".to_owned(), json!({ "businessEmail": email }));
            }
        }
        Shape::Flat => {
            body.extend(personal);
            if let Some(email) = email {
                body.insert("email".to_owned(), json!(email));
            }
        }
    }
    Value::Object(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::AttemptId;
    use crate::domain::names::{Location, UserType};

    fn raw(value: Value) -> Raw {
        let Value::Object(raw) = value else { panic!("not a record") };
        raw
    }

    fn mark() -> Mark {
        Mark::of(AttemptId::parse("018f3c1e-0000-7000-8000-000000000001").unwrap())
    }

    fn new_user() -> NewUser {
        let profile = [
            (ProfileField::FirstName, "Zoë"),
            (ProfileField::LastName, "O'Brien"),
            (ProfileField::Email, "zoe@example.com"),
            (ProfileField::Description, "Joins Ops"),
        ];
        NewUser {
            user_type: UserType::parse("EPVUser").unwrap(),
            location: Location::parse("\\Users").unwrap(),
            profile: profile.into_iter().map(|(field, value)| (field, value.to_owned())).collect(),
            cut: std::collections::BTreeMap::new(),
            expires_at: crate::domain::time::Timestamp::from_unix_seconds(1_900_000_000),
        }
    }

    #[test]
    fn both_shapes_read_alike() {
        let nested = raw(json!({"id": 7, "username": "zo", "userType": "EPVUser", "source": "CyberArk",
            "personalDetails": {"firstName": "Zoë", "lastName": "", "department": "Ops"},
            "internet": {"businessEmail": "zoe@example.com"}, "enableUser": true,
            "groupsMembership": [{"groupID": 3, "groupName": "Ops", "groupType": "Vault"}]}));
        let flat = raw(json!({"id": "7", "userName": "zo", "userType": "EPVUser", "firstName": "Zoë",
            "email": "zoe@example.com", "department": "Ops", "enableUser": "true",
            "groupsMembership": [{"groupId": 3, "groupName": "Ops", "groupType": "vault"}]}));
        let (nested, flat) = (vault_user(&nested).unwrap(), vault_user(&flat).unwrap());
        assert_eq!(nested, flat);
        assert_eq!(nested.profile[&ProfileField::Email], "zoe@example.com");
        let groups = nested.groups.unwrap();
        assert_eq!((groups[0].id, groups[0].kind), (VaultGroupId(3), Some(GroupKind::Vault)));
    }

    #[test]
    fn directory_and_component_users_are_recognised() {
        let read = |extra: Value| {
            let mut record = raw(json!({"id": 7, "username": "zo"}));
            record.extend(raw(extra));
            vault_user(&record).unwrap()
        };
        assert_eq!(read(json!({"source": "ldap"})).source, UserSource::Directory);
        assert_eq!(read(json!({"userDN": "CN=zo"})).source, UserSource::Directory);
        assert_eq!(read(json!({"source": "CyberArk", "userDN": ""})).source, UserSource::Vault);
        assert_eq!(read(json!({"componentUser": true})).component, ComponentUser::Yes);
        assert_eq!(read(json!({})).groups, None);
        assert!(vault_user(&raw(json!({"username": "zo"}))).is_none());
    }

    #[test]
    fn the_mark_stands_first_and_the_description_is_cut_at_a_character() {
        assert_eq!(description(&mark(), None), mark().as_str());
        assert_eq!(mark().as_str().len(), Mark::CHARACTERS);
        let long = description(&mark(), Some(&"ü".repeat(200)));
        assert_eq!(long.chars().count(), 99);
        assert!(mark().opens(&long));
    }

    #[test]
    fn the_body_is_nested_or_flat_and_asks_for_no_password_change() {
        let name = UserName::parse("zobrien").unwrap();
        let password = SecretString::from("Aa1!Aa1!Aa1!Aa1!Aa1!");
        let body = |shape| new_user_body(&name, &new_user(), shape, &mark(), &password);
        let nested = body(Shape::Nested);
        assert_eq!(nested["personalDetails"], json!({"firstName": "Zoë", "lastName": "O'Brien"}));
        assert_eq!(nested["internet"]["businessEmail"], "zoe@example.com");
        assert_eq!(nested["expiryDate"], 1_900_000_000);
        let flat = body(Shape::Flat);
        assert_eq!((&flat["firstName"], &flat["email"]), (&json!("Zoë"), &json!("zoe@example.com")));
        for body in [nested, flat] {
            assert!(body.get("changePassOnNextLogon").is_none());
            assert_eq!(body["description"], format!("{} Joins Ops", mark().as_str()));
            assert_eq!(body["enableUser"], true);
        }
    }
}
