//! `[[sources]]` and `[[api_clients]]`: who may send requests, who may read, and what a sender may say.
//!
//! Must hold: a source without a verifier is a fault; what a source may set is an allow-list that is empty unless
//! written.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

use chrono::TimeDelta;
use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};

use super::reader::{Distinct, Section};
use super::verify::{Verify, read_verify};
use crate::domain::leaver_clock::WITHIN;
use crate::domain::names::{Namespace, ShortText, SourceName};

/// The bounds of the time within which a leaver's access is to be gone.
pub(super) const LEAVER_WITHIN: RangeInclusive<TimeDelta> = TimeDelta::minutes(1)..=TimeDelta::days(30);

/// A configured sender of requests.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name, which is part of its address.
    pub name: SourceName,
    /// How its messages are written.
    pub format: Format,
    /// The namespace of its `person_ref`.
    pub people: Namespace,
    /// How a message is known to be its own.
    pub verify: Verify,
    /// The zone of its bare dates.
    pub timezone: Option<Tz>,
    /// The fields that are heard from it.
    pub may_set: BTreeSet<SettableField>,
    /// So many of its leavers may go in one hour without anybody being asked; the rest is held.
    pub unapproved_leavers_per_hour: u32,
    /// What should have taken effect longer ago than this, a person looks at first.
    pub oldest_effective: TimeDelta,
    /// The access of its leavers is to be gone within this time, unless their rule says otherwise.
    pub leaver_within: TimeDelta,
}

/// How messages are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The canonical request.
    Jml1,
}

/// A field that a source may be allowed to set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SettableField {
    /// `account.user_type`
    UserType,
    /// `account.location`
    Location,
    /// `account.groups`
    Groups,
    /// `account.expires_at`
    ExpiresAt,
    /// `account.description`
    Description,
    /// `account.roles`
    Roles,
    /// `account.authentication_methods`
    AuthenticationMethods,
    /// `account.change_password_on_next_logon`
    ChangePasswordOnNextLogon,
    /// `employment.manager.email`
    ManagerEmail,
    /// `employment.manager.name`
    ManagerName,
    /// `employment.manager.person_ref`
    ManagerPersonRef,
}

impl SettableField {
    /// Every such field.
    pub const ALL: [Self; 11] = [
        Self::UserType,
        Self::Location,
        Self::Groups,
        Self::ExpiresAt,
        Self::Description,
        Self::Roles,
        Self::AuthenticationMethods,
        Self::ChangePasswordOnNextLogon,
        Self::ManagerEmail,
        Self::ManagerName,
        Self::ManagerPersonRef,
    ];

    /// The path of the field in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UserType => "account.user_type",
            Self::Location => "account.location",
            Self::Groups => "account.groups",
            Self::ExpiresAt => "account.expires_at",
            Self::Description => "account.description",
            Self::Roles => "account.roles",
            Self::AuthenticationMethods => "account.authentication_methods",
            Self::ChangePasswordOnNextLogon => "account.change_password_on_next_logon",
            Self::ManagerEmail => "employment.manager.email",
            Self::ManagerName => "employment.manager.name",
            Self::ManagerPersonRef => "employment.manager.person_ref",
        }
    }

    /// Reads the path; `None` when no source may ever set it.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.as_str() == text)
    }
}

/// A program with an API token.
#[derive(Debug, Clone)]
pub struct ApiClient {
    /// Its name, for the audit.
    pub name: ShortText,
    /// What it shows.
    pub token: SecretString,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// The source as which it sends; there exactly when it may write requests.
    pub source: Option<SourceName>,
}

/// What an API token opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reading workflows.
    WorkflowsRead,
    /// Reading the audit trail.
    AuditRead,
    /// Sending requests.
    RequestsWrite,
}

/// The kind of verifier of every source that stands in the file, faulty or not: for references to them.
pub(super) type DeclaredSources = BTreeMap<String, Option<Verify>>;

/// Reads `[[sources]]`.
pub(super) fn read_sources(sections: Vec<Section<'_>>) -> (Vec<Source>, DeclaredSources) {
    let mut names = Distinct::default();
    let mut declared = DeclaredSources::new();
    let sources = sections.into_iter().filter_map(|section| {
        if let Some(name) = section.value("name").and_then(toml::Value::as_str) {
            names.note(&section, "name", name);
        }
        read_source(&section, &mut declared)
    });
    let sources = sources.collect();
    (sources, declared)
}

fn read_source(section: &Section<'_>, declared: &mut DeclaredSources) -> Option<Source> {
    let wanted = "a name of 1 to 40 of a-z 0-9 - _, beginning with a letter";
    let name = section.needed("name", wanted, |text| SourceName::parse(text).ok());
    let format = section.needed("format", "\"jml/1\"; other formats are not available yet", |text| {
        (text == "jml/1").then_some(Format::Jml1)
    });
    let people = section.needed("people", wanted, |text| Namespace::parse(text).ok());
    let verify = read_verify(section);
    let timezone =
        section.read("timezone", "an IANA zone such as \"Europe/Berlin\"", |text| text.parse::<Tz>().ok());
    let may_set = section.list("may_set", &settable(), SettableField::parse).into_iter().collect();
    let unapproved_leavers_per_hour = section.whole("unapproved_leavers_per_hour", 0..=10_000, 0);
    let oldest_effective =
        section.span("oldest_effective", TimeDelta::days(1)..=TimeDelta::days(400), TimeDelta::days(30));
    let leaver_within = section.span("leaver_within", LEAVER_WITHIN, WITHIN);
    if let Some(name) = &name {
        declared.insert(name.as_str().to_owned(), verify.clone());
    }
    section.refuse_unknown();
    let (format, people, verify) = (format?, people?, verify?);
    Some(Source {
        name: name?,
        format,
        people,
        verify,
        timezone,
        may_set,
        unapproved_leavers_per_hour,
        oldest_effective,
        leaver_within,
    })
}

fn settable() -> String {
    let names: Vec<&str> = SettableField::ALL.into_iter().map(SettableField::as_str).collect();
    format!("one of {}", names.join(", "))
}

/// Reads `[[api_clients]]`.
pub(super) fn read_clients(sections: Vec<Section<'_>>, sources: &DeclaredSources) -> Vec<ApiClient> {
    let mut names = Distinct::default();
    let mut tokens = Vec::new();
    let clients = sections.into_iter().filter_map(|section| {
        let name =
            section.needed("name", "a name of 1 to 128 characters", |text| ShortText::parse(text).ok());
        if let Some(name) = &name {
            names.note(&section, "name", name.as_str());
        }
        let token = read_token(&section, &mut tokens);
        let scopes = read_scopes(&section);
        let source = read_client_source(&section, &scopes, sources);
        section.refuse_unknown();
        Some(ApiClient { name: name?, token: token?, scopes, source })
    });
    clients.collect()
}

fn read_token(section: &Section<'_>, seen: &mut Vec<SecretString>) -> Option<SecretString> {
    let token = section.needed_secret("token")?;
    let text = token.expose_secret();
    let fits = (24..=512).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits {
        section.fault("token", "wanted: 24 to 512 ASCII characters without spaces");
    }
    if seen.iter().any(|other| other.expose_secret() == text) {
        section.fault("token", "stands here twice; wanted: a token of its own");
    }
    seen.push(token.clone());
    fits.then_some(token)
}

fn read_scopes(section: &Section<'_>) -> BTreeSet<Scope> {
    let wanted = "workflows:read, audit:read or requests:write; workflows:operate is not available yet";
    let scopes = section.some("scopes", wanted, |text| match text {
        "workflows:read" => Some(Scope::WorkflowsRead),
        "audit:read" => Some(Scope::AuditRead),
        "requests:write" => Some(Scope::RequestsWrite),
        _ => None,
    });
    scopes.into_iter().collect()
}

fn read_client_source(
    section: &Section<'_>,
    scopes: &BTreeSet<Scope>,
    sources: &DeclaredSources,
) -> Option<SourceName> {
    let writes = scopes.contains(&Scope::RequestsWrite);
    if !writes {
        if section.value("source").is_some() {
            section.fault("source", "wanted: only together with the scope requests:write");
        }
        return None;
    }
    let source = section.needed("source", "the name of a source", |text| SourceName::parse(text).ok())?;
    match sources.get(source.as_str()) {
        None => section.fault("source", "wanted: the name of one of the sources"),
        // Without a verifier the fault stands at the source itself.
        Some(Some(Verify::ApiToken) | None) => {}
        Some(Some(Verify::StandardWebhooks(_) | Verify::Hmac(_) | Verify::Token(_) | Verify::Basic(_))) => {
            section.fault("source", "wanted: a source whose verify.kind is \"api-token\"");
        }
    }
    Some(source)
}
