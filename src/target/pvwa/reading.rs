//! What a plan would assume, read in one go.
//!
//! Must hold: only reads; a user is in the snapshot by its number or its exact name, a group by its exact name; a list
//! of user types that this vault does not offer is absent, not empty; nothing is asked for that the plan does not need.

use serde_json::Value;

use super::groups::Members;
use super::pages::{field, text};
use super::talk::{Fault, Talk};
use super::users::{Account, Shape};
use crate::domain::names::UserType;
use crate::domain::plan::Description;
use crate::domain::snapshot::{GroupSeen, ProfileField, Snapshot, UserSeen};
use crate::target::{Besides, Subject};

/// What a flat user record has room for.
const FLAT_FIELDS: [ProfileField; 4] =
    [ProfileField::FirstName, ProfileField::LastName, ProfileField::Email, ProfileField::Description];

/// What a nested user record has room for, where the vault keeps no description.
const NESTED_FIELDS: [ProfileField; 8] = [
    ProfileField::FirstName,
    ProfileField::MiddleName,
    ProfileField::LastName,
    ProfileField::Email,
    ProfileField::Title,
    ProfileField::Department,
    ProfileField::Organization,
    ProfileField::Location,
];

/// The fields that are kept; absent where all are.
fn kept(shape: Shape, description: Description) -> Option<Vec<ProfileField>> {
    match (shape, description) {
        (Shape::Nested, Description::Kept) => None,
        (Shape::Nested, Description::NotKept) => Some(NESTED_FIELDS.to_vec()),
        (Shape::Flat, Description::Kept) => Some(FLAT_FIELDS.to_vec()),
        (Shape::Flat, Description::NotKept) => {
            Some(FLAT_FIELDS.into_iter().filter(|field| *field != ProfileField::Description).collect())
        }
    }
}

impl Talk<'_> {
    pub(super) async fn snapshot(
        &mut self,
        subject: Subject<'_>,
        besides: Besides<'_>,
    ) -> Result<Snapshot, Fault> {
        let user = match self.subject(subject).await? {
            None => UserSeen::Absent,
            Some(mut account) => {
                let found = self.memberships_as_told(&account).await?;
                account.user.groups = match found.told {
                    Some(held) => Some(self.with_kinds(held).await?),
                    None => None,
                };
                account.user.unnumbered_groups = found.unnumbered;
                UserSeen::Present(Box::new(account.user))
            }
        };
        let mut seen = Vec::new();
        let (mut user_types, mut kept_fields) = (None, None);
        if let Besides::Groups(groups) = besides {
            for asked in groups {
                let found = self.group_named(asked.as_str(), Members::Left).await?;
                seen.push(GroupSeen { asked: asked.clone(), found: found.map(|found| found.group) });
            }
            user_types = self.user_types().await?;
            let shape = self.shape(self.pvwa.dialect.user_shape).await?;
            kept_fields = kept(shape, self.pvwa.dialect.description);
        }
        let read_at = self.pvwa.world.now();
        Ok(Snapshot { target: self.pvwa.name.clone(), read_at, user, groups: seen, user_types, kept_fields })
    }

    async fn subject(&mut self, subject: Subject<'_>) -> Result<Option<Account>, Fault> {
        if let Some(id) = subject.user_id
            && let Some(account) = self.account(id).await?
        {
            return Ok(Some(account));
        }
        match self.users_named(subject.user_name.as_str()).await?.as_slice() {
            [] => Ok(None),
            [id] => match self.account(*id).await? {
                Some(account) => Ok(Some(account)),
                None => Err(Fault::passing(format!("user number {id} is listed but cannot be read"))),
            },
            [first, second, ..] => Err(Fault::NeedsPerson(format!(
                "the vault shows more than one user with this name, numbers {first} and {second}"
            ))),
        }
    }

    /// Offered by newer versions only, and not to everybody.
    async fn user_types(&mut self) -> Result<Option<Vec<UserType>>, Fault> {
        match self.get("UserTypes", &[]).await {
            Ok(answer) => Ok(listed_types(&answer)),
            Err(Fault::Refused(said)) if matches!(said.status, 400 | 403 | 404 | 405 | 501) => Ok(None),
            Err(fault) => Err(fault),
        }
    }
}

/// Takes names out of a list of texts or records, at the top or under any name; `None` where there is no such list.
fn listed_types(answer: &Value) -> Option<Vec<UserType>> {
    let list = match answer {
        Value::Array(list) => list,
        Value::Object(record) => match field(record, "UserTypes").or_else(|| field(record, "value")) {
            Some(Value::Array(list)) => list,
            Some(_) | None => return None,
        },
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
    };
    let name = |item: &Value| match item {
        Value::String(name) => UserType::parse(name).ok(),
        Value::Object(record) => ["userType", "userTypeName", "name", "id"]
            .iter()
            .find_map(|key| UserType::parse(text(record, key)?).ok()),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) => None,
    };
    let types: Vec<_> = list.iter().filter_map(name).collect();
    (!types.is_empty()).then_some(types)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn user_types_are_found_in_texts_and_records() {
        let names = |value: Value| {
            let types = listed_types(&value)?;
            Some(types.iter().map(|kind| kind.as_str().to_owned()).collect::<Vec<_>>())
        };
        let wanted = Some(vec!["EPVUser".to_owned(), "BasicUser".to_owned()]);
        assert_eq!(names(json!(["EPVUser", "BasicUser"])), wanted);
        assert_eq!(names(json!({"UserTypes": [{"id": "EPVUser"}, {"userTypeName": "BasicUser"}]})), wanted);
        assert_eq!(names(json!({"value": []})), None);
        assert_eq!(names(json!({"other": ["EPVUser"]})), None);
    }
}
