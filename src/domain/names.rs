//! Names that cross a boundary, each parsed once into its own type.
//!
//! Must hold: a value of one of these types has passed its rule; the inside is private and never changes.
//! A refusal says what is wanted and never repeats the value. Limits are those of the vault's own API and of
//! `jml/1`; where the two differ (human names) the wider one stands here and the plan cuts.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};
use unicode_normalization::UnicodeNormalization;

use super::kind::Kind;

/// Why a text is not a name of the wanted kind. Speaks of the rule, never of the value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{wanted}")]
pub struct NotAName {
    /// A short stable word for programs, such as `not_ascii`.
    pub code: &'static str,
    /// The rule in words.
    pub wanted: &'static str,
}

const fn no(code: &'static str, wanted: &'static str) -> NotAName {
    NotAName { code, wanted }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident by $rule:expr;)*) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The only way in.
            pub fn parse(text: &str) -> Result<Self, NotAName> {
                let rule: fn(&str) -> Result<String, NotAName> = $rule;
                rule(text).map(Self)
            }

            /// The text as it was accepted.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
                let text = String::deserialize(input)?;
                Self::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    )* };
}

names! {
    /// A configured sender of requests.
    SourceName by setting_name;
    /// A configured system to drive.
    TargetName by setting_name;
    /// A namespace in which a `person_ref` means one human.
    Namespace by setting_name;
    /// The sender's own id of an event or ticket.
    SourceRef by |text| spelled(text, 128, "._:-", no("bad_reference", "1 to 128 of A-Z a-z 0-9 . _ : -"));
    /// The stable id of a person at the source.
    PersonRef by |text| spelled(text, 64, "._:@-", no("bad_reference", "1 to 64 of A-Z a-z 0-9 . _ : @ -"));
    /// A vault user name; compare by [`UserName::key`].
    UserName by user_name;
    /// A vault group name; compare by [`GroupName::key`].
    GroupName by |text| one_line(text, 128, no("bad_group", "a group name of 1 to 128 characters on one line"));
    /// A user type of the vault's licence, such as `EPVUser`.
    UserType by |text| spelled(text, 64, "_-", no("bad_user_type", "a user type of letters and digits, at most 64"));
    /// A backslash path in the vault, such as `\Users\Ops`.
    Location by location;
    /// A mail address without display name; compare by [`EmailAddress::key`] or [`EmailAddress::mailbox`].
    EmailAddress by email;
    /// A human name or another short line of text, any script, 1 to 128 characters.
    ShortText by |text| one_line(text, 128, no("bad_text", "1 to 128 characters on one line"));
    /// What a vault shows beside a user, as far as the request says it.
    Description by |text| one_line(text, 99, no("bad_text", "1 to 99 characters on one line"));
    /// Where a directory keeps a user. Its parts are the directory's business.
    DistinguishedName by |text| one_line(text, 1_024, no("bad_text", "1 to 1024 characters on one line"));
    /// The requester's own words; the only text of several lines.
    Reason by several_lines;
    /// The number people know a ticket by.
    TicketId by |text| spelled(text, 64, "_-", no("bad_ticket_id", "1 to 64 of A-Z a-z 0-9 _ -"));
    /// A ticket system's own key of a record or task.
    RecordId by |text| spelled(text, 64, "._:-", no("bad_ticket_id", "1 to 64 of A-Z a-z 0-9 . _ : -"));
}

impl SourceRef {
    /// The reference of a part of a request: no sender has one like it, because none of theirs holds a slash.
    #[must_use]
    pub fn of_part(whole: &Self, target: &TargetName) -> Self {
        Self(format!("{whole}/{target}"))
    }

    /// The reference of a request that is made beside another one: no sender has one like it either.
    #[must_use]
    pub fn of_made(beside: &Self, kind: Kind) -> Self {
        Self(format!("{beside}~{kind}"))
    }

    /// Is this the reference of a request that was made beside the other one, or of a part of such a request?
    pub fn is_made_beside(&self, other: &Self) -> bool {
        self.0.split_once('~').is_some_and(|(beside, _)| beside == other.0)
    }

    /// The reference of the whole request, as its sender gave it, be this the request's own or that of a part.
    pub fn of_whole(&self) -> &str {
        self.0.split_once('/').map_or(self.0.as_str(), |(whole, _)| whole)
    }

    /// Reads one back that was kept, be it a sender's, a part's or that of a request which was made here.
    pub fn kept(text: &str) -> Result<Self, NotAName> {
        match text.split_once('/') {
            None => Self::sent_or_made(text),
            Some((whole, target)) => {
                Ok(Self::of_part(&Self::sent_or_made(whole)?, &TargetName::parse(target)?))
            }
        }
    }

    fn sent_or_made(text: &str) -> Result<Self, NotAName> {
        match text.split_once('~') {
            None => Self::parse(text),
            Some((beside, kind)) => {
                let kind = Kind::parse(kind).ok_or(no("bad_reference", "a kind of request"))?;
                Ok(Self::of_made(&Self::parse(beside)?, kind))
            }
        }
    }
}

impl UserName {
    /// How the vault compares user names: without case. Names are ASCII, so there is only one way to fold.
    pub fn key(&self) -> String {
        self.0.to_ascii_lowercase()
    }

    /// Made of digits alone, and so open to being taken for a numeric id.
    pub fn is_digits(&self) -> bool {
        self.0.bytes().all(|byte| byte.is_ascii_digit())
    }
}

impl GroupName {
    /// How the vault compares group names: without case.
    pub fn key(&self) -> String {
        self.0.to_lowercase()
    }
}

impl Location {
    /// Is this path `root` or below it? Compared without case, part by part.
    pub fn lies_under(&self, root: &Self) -> bool {
        let parts = |path: &str| {
            path.split('\\').filter(|part| !part.is_empty()).map(str::to_lowercase).collect::<Vec<_>>()
        };
        parts(&self.0).starts_with(&parts(&root.0))
    }
}

impl EmailAddress {
    /// For "may this be the same person", which keeps somebody out: case-folded and without a plus tag. Never to let
    /// somebody in: that whoever reads a tagged address also reads the plain one is a custom, not a proof.
    pub fn key(&self) -> String {
        let folded = self.0.to_lowercase();
        let (local, domain) = folded.rsplit_once('@').unwrap_or((&folded, ""));
        let mailbox = local.split('+').next().unwrap_or(local);
        format!("{mailbox}@{domain}")
    }

    /// For "is this the very address", which lets somebody in: case-folded, with its tag.
    pub fn mailbox(&self) -> Mailbox {
        Mailbox(self.0.to_lowercase())
    }

    /// `a***@example.com`: enough for a log, too little to mail to.
    pub fn masked(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or((&self.0, ""));
        format!("{}***@{domain}", local.chars().next().unwrap_or('?'))
    }
}

/// A whole mail address, folded: what a role, a link or a password is given to. It cannot be compared with the key by
/// which somebody is kept out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mailbox(String);

fn setting_name(text: &str) -> Result<String, NotAName> {
    let wanted = no("bad_name", "1 to 40 of a-z 0-9 - _, beginning with a letter");
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
    let rest =
        text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte));
    if begins && rest && text.len() <= 40 { Ok(text.to_owned()) } else { Err(wanted) }
}

fn spelled(text: &str, most: usize, also: &str, wanted: NotAName) -> Result<String, NotAName> {
    let fits = !text.is_empty() && text.len() <= most;
    let spelled = text.chars().all(|sign| sign.is_ascii_alphanumeric() || also.contains(sign));
    if fits && spelled { Ok(text.to_owned()) } else { Err(wanted) }
}

fn user_name(text: &str) -> Result<String, NotAName> {
    if !text.is_ascii() {
        return Err(no("not_ascii", "a user name of ASCII letters, digits and . _ @ + -"));
    }
    let wanted = no("bad_user_name", "1 to 128 of A-Z a-z 0-9 . _ @ + -, beginning with a letter or digit");
    if !text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric()) {
        return Err(wanted);
    }
    spelled(text, 128, "._@+-", wanted)
}

fn location(text: &str) -> Result<String, NotAName> {
    let wanted = no("bad_location", "a path such as \\Users\\Ops of at most 512 characters");
    if text == "\\" {
        return Ok(text.to_owned());
    }
    let plain: String = text.nfc().collect();
    let Some(inner) = plain.strip_prefix('\\') else { return Err(wanted) };
    let part_fits = |part: &str| {
        let folded: String = part.nfkc().collect();
        let length = part.chars().count();
        (1..=100).contains(&length)
            && folded.trim() != "."
            && folded.trim() != ".."
            && part
                .chars()
                .all(|sign| !sign.is_control() && !"/%:*?\"<>|".contains(sign) && !is_invisible(sign))
    };
    if plain.chars().count() <= 512 && inner.split('\\').all(part_fits) { Ok(plain) } else { Err(wanted) }
}

fn email(text: &str) -> Result<String, NotAName> {
    let wanted = no("bad_email", "one mail address of at most 254 characters, without a display name");
    let Some((local, domain)) = text.split_once('@') else { return Err(wanted) };
    let local_fits = (1..=64).contains(&local.len())
        && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".!#$%&'*+/=?^_`{|}~-".contains(&byte));
    let label_fits = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let domain_fits = !domain.is_empty() && domain.split('.').all(label_fits);
    if text.len() <= 254 && local_fits && domain_fits { Ok(text.to_owned()) } else { Err(wanted) }
}

fn several_lines(text: &str) -> Result<String, NotAName> {
    let plain: String = text.replace("\r\n", "\n").trim().nfc().collect();
    let clean = |sign: char| sign == '\n' || !(sign.is_control() || matches!(sign, '\u{2028}' | '\u{2029}'));
    if (1..=2_000).contains(&plain.chars().count()) && plain.chars().all(clean) {
        Ok(plain)
    } else {
        Err(no("bad_text", "1 to 2000 characters, without control characters other than line breaks"))
    }
}

/// One line of text in any script: NFC, trimmed, no control characters and no line or paragraph separators.
pub fn one_line(text: &str, most: usize, wanted: NotAName) -> Result<String, NotAName> {
    let plain: String = text.trim().nfc().collect();
    let length = plain.chars().count();
    let clean = plain.chars().all(|sign| !sign.is_control() && sign != '\u{2028}' && sign != '\u{2029}');
    if (1..=most).contains(&length) && clean { Ok(plain) } else { Err(wanted) }
}

/// Zero-width and bidirectional control characters: they change what a reader sees without being seen.
pub fn is_invisible(sign: char) -> bool {
    matches!(sign,
        '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{E0000}'..='\u{E0FFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_name_is_ascii_and_compared_without_case() {
        assert_eq!(UserName::parse("ZOBrien").unwrap().key(), "zobrien");
        assert_eq!(UserName::parse("zоbrien").unwrap_err().code, "not_ascii"); // a Cyrillic о
        assert!(UserName::parse(".hidden").is_err());
        assert!(UserName::parse(&"a".repeat(129)).is_err());
    }

    #[test]
    fn the_reference_of_a_part_is_no_senders() {
        let target = TargetName::parse("onprem").unwrap();
        let part = SourceRef::of_part(&SourceRef::parse("RITM1:3").unwrap(), &target);
        assert_eq!(part.as_str(), "RITM1:3/onprem");
        assert!(SourceRef::parse(part.as_str()).is_err());
        assert_eq!(SourceRef::kept(part.as_str()).unwrap(), part);
        let made = SourceRef::of_made(&SourceRef::parse("RITM1:3").unwrap(), Kind::Leaver);
        assert!(SourceRef::parse(made.as_str()).is_err());
        for kept in [&made, &SourceRef::of_part(&made, &target)] {
            assert_eq!(SourceRef::kept(kept.as_str()).unwrap(), *kept);
        }
        let beside = SourceRef::parse("RITM1:3").unwrap();
        assert!(made.is_made_beside(&beside) && SourceRef::of_part(&made, &target).is_made_beside(&beside));
        assert!(!part.is_made_beside(&beside) && !made.is_made_beside(&SourceRef::parse("RITM1").unwrap()));
        for bad in ["RITM1:3/", "/onprem", "RITM1:3/On Prem", "RITM1:3/a/b", "RITM1:3~", "RITM1:3~onprem"] {
            assert!(SourceRef::kept(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_of_one_mailbox_have_one_key() {
        let plain = EmailAddress::parse("ana@example.com").unwrap();
        let tagged = EmailAddress::parse("Ana+vault@Example.COM").unwrap();
        assert_eq!(plain.key(), tagged.key());
        assert_ne!(plain.mailbox(), tagged.mailbox());
        assert_eq!(plain.mailbox(), EmailAddress::parse("ANA@Example.com").unwrap().mailbox());
        for bad in ["a@b@c", "Ana <ana@example.com>", "ana@", "@x", "a@b\r\nBcc: c@d", "a@-b.c"] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_location_lies_under_its_root_by_whole_parts() {
        let at = |text| Location::parse(text).unwrap();
        assert!(at("\\Users\\Ops").lies_under(&at("\\")));
        assert!(at("\\users\\ops").lies_under(&at("\\Users")));
        assert!(!at("\\UsersOfOps").lies_under(&at("\\Users")));
        for bad in ["Users", "\\a\\..\\b", "\\a\\\u{ff0e}\u{ff0e}", "\\a/b", "\\\\", ""] {
            assert!(Location::parse(bad).is_err(), "{bad}");
        }
    }
}
