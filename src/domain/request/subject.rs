//! Who a request is about, and what their work is.
//!
//! Must hold: no request names one of the vault's own users. A manager named here is a hint for policy; nobody is
//! mailed or asked because a payload says so.

use serde::Serialize;

use super::fields::Fields;
use super::words::EmploymentType;
use crate::domain::built_in::is_built_in;
use crate::domain::names::{DistinguishedName, EmailAddress, NotAName, PersonRef, ShortText, UserName};

/// The fields of `manager`.
pub(super) const MANAGER: &[&str] = &["person_ref", "email", "name"];
/// The fields of `employment`.
pub(super) const EMPLOYMENT: &[&str] =
    &["title", "department", "organization", "cost_center", "site", "type", "manager"];
/// The fields of `subject`.
pub(super) const SUBJECT: &[&str] =
    &["username", "first_name", "middle_name", "last_name", "email", "distinguished_name"];

/// Somebody who may be known already: whatever the request says of them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Subject {
    /// The vault user name; without it the person reference must be known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub username: Option<UserName>,
    /// Given name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_name: Option<ShortText>,
    /// Middle name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<ShortText>,
    /// Family name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_name: Option<ShortText>,
    /// Mail address at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// Entry in the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinguished_name: Option<DistinguishedName>,
}

/// Somebody who gets a user: it needs a name, and so do they.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Newcomer {
    /// The vault user name they are to get.
    pub username: UserName,
    /// Given name.
    pub first_name: ShortText,
    /// Middle name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub middle_name: Option<ShortText>,
    /// Family name.
    pub last_name: ShortText,
    /// Mail address at work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// Entry in the directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub distinguished_name: Option<DistinguishedName>,
}

impl Subject {
    /// Reads `subject`; one that is left out says nothing.
    pub(super) fn read(request: &Fields<'_>) -> Self {
        let Some(fields) = request.child("subject", SUBJECT) else { return Self::default() };
        Self {
            username: fields.text("username", persons_user_name),
            first_name: fields.text("first_name", ShortText::parse),
            middle_name: fields.text("middle_name", ShortText::parse),
            last_name: fields.text("last_name", ShortText::parse),
            email: fields.text("email", EmailAddress::parse),
            distinguished_name: fields.text("distinguished_name", DistinguishedName::parse),
        }
    }

    /// Says nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The same person as somebody who gets a user, where the necessary is there.
    pub(super) fn into_newcomer(self) -> Option<Newcomer> {
        Some(Newcomer {
            username: self.username?,
            first_name: self.first_name?,
            middle_name: self.middle_name,
            last_name: self.last_name?,
            email: self.email,
            distinguished_name: self.distinguished_name,
        })
    }
}

fn persons_user_name(text: &str) -> Result<UserName, NotAName> {
    let name = UserName::parse(text)?;
    if is_built_in(&name) {
        return Err(NotAName { code: "built_in_user", wanted: "not one of the vault's own users" });
    }
    Ok(name)
}

/// Somebody's work, for policy and for the reader of the page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Employment {
    /// Title of the position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub title: Option<ShortText>,
    /// Department.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub department: Option<ShortText>,
    /// Organization or company.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organization: Option<ShortText>,
    /// Cost center.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_center: Option<ShortText>,
    /// Place of work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub site: Option<ShortText>,
    /// Relation to the organization.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub employment_type: Option<EmploymentType>,
    /// The manager as the source knows them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub manager: Option<Manager>,
}

/// A manager as a source names them: at least one of the three is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Manager {
    /// Their stable reference at the source.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub person_ref: Option<PersonRef>,
    /// Their mail address; never used unchecked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<EmailAddress>,
    /// Their name, for display.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<ShortText>,
}

impl Employment {
    /// Reads `employment`; one that is left out says nothing.
    pub(super) fn read(request: &Fields<'_>) -> Self {
        let Some(fields) = request.child("employment", EMPLOYMENT) else { return Self::default() };
        Self {
            title: fields.text("title", ShortText::parse),
            department: fields.text("department", ShortText::parse),
            organization: fields.text("organization", ShortText::parse),
            cost_center: fields.text("cost_center", ShortText::parse),
            site: fields.text("site", ShortText::parse),
            employment_type: fields.choice("type", EmploymentType::ALL, EmploymentType::as_str),
            manager: Manager::read(&fields),
        }
    }

    /// Says nothing at all.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

impl Manager {
    fn read(employment: &Fields<'_>) -> Option<Self> {
        let fields = employment.child("manager", MANAGER)?;
        if !MANAGER.iter().any(|key| fields.has(key)) {
            employment.fault("manager", "required", "person_ref, email or name");
        }
        Some(Self {
            person_ref: fields.text("person_ref", PersonRef::parse),
            email: fields.text("email", EmailAddress::parse),
            name: fields.text("name", ShortText::parse),
        })
    }
}
