//! `[[targets]]`: the vaults, what may be granted in them and who is never touched.
//!
//! Must hold: plain http only to this machine; what may be granted is an allow-list. Deliberately absent: the user
//! names that are protected whatever is written here, which planning adds.

use std::path::PathBuf;

use chrono::TimeDelta;
use url::Url;

use super::privileged::{Privileged, read_privileged};
use super::products::{Product, Proxy, read_address, read_product, read_proxy};
use super::reader::{Distinct, Refusal, Section};
use super::stages::Askable;
use crate::domain::names::{GroupName, Location, TargetName, UserName, UserType};
use crate::domain::plan::{
    Description, DialectSettings, DisableWith, GroupMember, ResetOfDisabled, UserShape,
};
use crate::domain::resting::RestPolicy;

/// A configured vault.
#[derive(Debug, Clone)]
pub struct TargetSettings {
    /// Its name in these settings.
    pub name: TargetName,
    /// Which product it is, and how the service signs in there.
    pub product: Product,
    /// The address of its API, without a slash at the end.
    pub api_url: Url,
    /// No more calls than this run at once.
    pub max_concurrent_calls: u32,
    /// No more calls than this are made in a second, where that is bounded.
    pub calls_per_second: Option<u32>,
    /// When it is left to rest because it fails again and again.
    pub rest: RestPolicy,
    /// A call of which no answer came may take effect so much later.
    pub longest_server_delay: TimeDelta,
    /// The licence seats that may be taken.
    pub allowed_user_types: Vec<UserType>,
    /// Users are made at or below this path.
    pub location_root: Location,
    /// The groups that may be granted.
    pub grantable_groups: Vec<GroupName>,
    /// Those of them that are privileged, and who is asked because of it; `None` where no group is.
    pub privileged: Option<Privileged>,
    /// The users that are never touched.
    pub protected_users: Vec<UserPattern>,
    /// How it is spoken to.
    pub dialect: DialectSettings,
    /// A private certification authority, in PEM.
    pub ca_file: Option<PathBuf>,
    /// The way there, where it is not direct.
    pub proxy: Option<Proxy>,
}

/// A user name in which `*` stands for any characters; compared without case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPattern(String);

impl UserPattern {
    /// The only way in: 1 to 128 of the characters of user names and `*`.
    pub fn parse(text: &str) -> Option<Self> {
        let spelled = |sign: char| sign.is_ascii_alphanumeric() || "._@+-*".contains(sign);
        let fits = (1..=128).contains(&text.len()) && text.chars().all(spelled);
        fits.then(|| Self(text.to_ascii_lowercase()))
    }

    /// Does this name fall under the pattern?
    pub fn covers(&self, name: &UserName) -> bool {
        let name = name.key();
        let mut parts = self.0.split('*');
        // The first part stands at the beginning, the last at the end, the others in order between them.
        let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
        let Some(last) = parts.next_back() else { return rest.is_empty() };
        for part in parts {
            let Some(place) = rest.find(part) else { return false };
            rest = rest.get(place + part.len()..).unwrap_or_default();
        }
        rest.ends_with(last)
    }
}

/// Reads `[[targets]]`.
pub(super) fn read_targets(sections: Vec<Section<'_>>, askable: &Askable<'_>) -> Vec<TargetSettings> {
    let mut names = Distinct::default();
    let targets = sections.into_iter().filter_map(|section| {
        if let Some(name) = section.value("name").and_then(toml::Value::as_str) {
            names.note(&section, "name", name);
        }
        // The keys of another product are not known here, so the rest of such a table is not looked at.
        match section.refuse_for_now("product", &["identity-scim", "pam-scim"]) {
            Refusal::Refused => None,
            Refusal::Passed => read_target(&section, askable),
        }
    });
    targets.collect()
}

fn read_target(section: &Section<'_>, askable: &Askable<'_>) -> Option<TargetSettings> {
    let name = section.needed("name", "a name of 1 to 40 of a-z 0-9 - _, beginning with a letter", |text| {
        TargetName::parse(text).ok()
    });
    let api_url = read_address(section, "api_url");
    let product = read_product(section);
    let reach = read_reach(section);
    let privileged = read_privileged(section, &reach.groups, askable);
    let dialect = read_dialect(section);
    let max_concurrent_calls = section.whole("max_concurrent_calls", 1..=64, 8);
    let calls_per_second = section.whole("calls_per_second", 0..=1_000, 0);
    let rest = RestPolicy {
        after_faults: section.whole("rest_after_faults", 1..=1_000, 5),
        longest: section.span(
            "longest_rest",
            TimeDelta::seconds(5)..=TimeDelta::hours(1),
            TimeDelta::minutes(5),
        ),
    };
    let ca_file = section.read("ca_file", "the path of a PEM file", |text| Some(PathBuf::from(text)));
    let minutes = TimeDelta::minutes;
    let longest_server_delay =
        section.span("longest_server_delay", TimeDelta::seconds(30)..=minutes(1_440), minutes(5));
    let token_url = match &product {
        Some(Product::PrivilegeCloud(cloud)) => Some(&cloud.token_url),
        Some(Product::SelfHosted(_)) | None => None,
    };
    let addresses: Vec<&Url> = api_url.iter().chain(token_url).collect();
    let proxy = read_proxy(section, &addresses);
    section.refuse_unknown();
    Some(TargetSettings {
        name: name?,
        product: product?,
        api_url: api_url?,
        max_concurrent_calls,
        calls_per_second: (calls_per_second > 0).then_some(calls_per_second),
        rest,
        longest_server_delay,
        allowed_user_types: reach.user_types,
        location_root: reach.location_root?,
        grantable_groups: reach.groups,
        privileged,
        protected_users: reach.protected,
        dialect,
        ca_file: ca_file.filter(|path| !path.as_os_str().is_empty()),
        proxy,
    })
}

struct Reach {
    user_types: Vec<UserType>,
    location_root: Option<Location>,
    groups: Vec<GroupName>,
    protected: Vec<UserPattern>,
}

fn read_reach(section: &Section<'_>) -> Reach {
    let location_root = match section.value("location_root") {
        None => Location::parse("\\").ok(),
        Some(_) => {
            section.read("location_root", "a path such as \"\\\\Users\"", |text| Location::parse(text).ok())
        }
    };
    let groups =
        section.list("grantable_groups", "a group name of 1 to 128 characters on one line", |text| {
            GroupName::parse(text).ok()
        });
    let mut seen = Distinct::default();
    for group in &groups {
        seen.note(section, "grantable_groups", &group.key());
    }
    Reach {
        user_types: section
            .some("allowed_user_types", "a user type such as \"EPVUser\"", |text| UserType::parse(text).ok()),
        location_root,
        groups,
        protected: section.list(
            "protected_users",
            "a user name of A-Z a-z 0-9 . _ @ + -, in which * stands for any characters",
            UserPattern::parse,
        ),
    }
}

fn read_dialect(section: &Section<'_>) -> DialectSettings {
    let member =
        section.read("group_member", "\"auto\", \"user-name\" or \"numeric-id\"", |text| match text {
            "auto" => Some(GroupMember::Auto),
            "user-name" => Some(GroupMember::UserName),
            "numeric-id" => Some(GroupMember::NumericId),
            _ => None,
        });
    let shape = section.read("user_shape", "\"auto\", \"nested\" or \"flat\"", |text| match text {
        "auto" => Some(UserShape::Auto),
        "nested" => Some(UserShape::Nested),
        "flat" => Some(UserShape::Flat),
        _ => None,
    });
    let disable = section.read("disable_with", "\"auto\", \"call\" or \"put\"", |text| match text {
        "auto" => Some(DisableWith::Auto),
        "call" => Some(DisableWith::Call),
        "put" => Some(DisableWith::Put),
        _ => None,
    });
    let description = match section.yes_or_no("keeps_description") {
        None | Some(true) => Description::Kept,
        Some(false) => Description::NotKept,
    };
    let reset_of_disabled = match section.yes_or_no("resets_disabled_users") {
        None | Some(true) => ResetOfDisabled::Works,
        Some(false) => ResetOfDisabled::Refused,
    };
    DialectSettings {
        group_member: member.unwrap_or(GroupMember::Auto),
        user_shape: shape.unwrap_or(UserShape::Auto),
        description,
        disable_with: disable.unwrap_or_default(),
        reset_of_disabled,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_characters() {
        let covers = |pattern: &str, name: &str| {
            UserPattern::parse(pattern).unwrap().covers(&UserName::parse(name).unwrap())
        };
        for (pattern, name) in [
            ("Administrator", "ADMINISTRATOR"),
            ("svc-*", "SVC-backup"),
            ("svc-*", "svc-"),
            ("*-admin", "a-admin-admin"),
            ("a*b*c", "a-b-b-c"),
            ("*", "x"),
        ] {
            assert!(covers(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("Administrator", "administrator2"), ("svc-*", "asvc-x"), ("ab*ba", "aba"), ("a*b*c", "a-c-b")]
        {
            assert!(!covers(pattern, name), "{pattern} {name}");
        }
        assert!(UserPattern::parse("").is_none() && UserPattern::parse("a?").is_none());
    }
}
