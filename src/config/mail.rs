//! `[mail]` and `[operators]`: how mail leaves, who hears alarms and who may sign in on the console.
//!
//! Must hold: off loopback mail leaves over TLS only, for it carries personal links; a password stands in a key of
//! its own and never in the address of the server.

use secrecy::SecretString;
use url::Url;

use super::http::is_loopback;
use super::reader::{Distinct, Section};
use crate::domain::names::{EmailAddress, ShortText};

/// How mail leaves.
#[derive(Debug, Clone)]
pub struct Mail {
    /// The name before the sender's address, if any.
    pub from_name: Option<ShortText>,
    /// The sender's address.
    pub from: EmailAddress,
    /// The server that takes the mail.
    pub smtp: Smtp,
}

/// The server that takes the mail.
#[derive(Debug, Clone)]
pub struct Smtp {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the line is protected.
    pub tls: SmtpTls,
    /// Given when the server asks who sends.
    pub login: Option<SmtpLogin>,
}

/// How the line to the server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SmtpTls {
    /// In the clear; on loopback alone.
    None,
    /// STARTTLS, and nothing is sent without it.
    Required,
    /// TLS from the first byte.
    Implicit,
}

/// Who sends.
#[derive(Debug, Clone)]
pub struct SmtpLogin {
    /// The account at the mail server.
    pub username: String,
    /// Its password.
    pub password: SecretString,
}

/// Who looks after the service.
#[derive(Debug, Clone, Default)]
pub struct Operators {
    /// Who hears alarms; at least one. May be a list's address.
    pub mail: Vec<EmailAddress>,
    /// Who may sign in and act on the console.
    pub members: Vec<EmailAddress>,
    /// Who may sign in and look.
    pub viewers: Vec<EmailAddress>,
}

impl Operators {
    /// Is this one of those who may act?
    pub fn may_act(&self, address: &EmailAddress) -> bool {
        self.members.iter().any(|one| one.mailbox() == address.mailbox())
    }

    /// Is this one of those who may sign in?
    pub fn may_sign_in(&self, address: &EmailAddress) -> bool {
        let mailbox = address.mailbox();
        self.members.iter().chain(&self.viewers).any(|one| one.mailbox() == mailbox)
    }
}

/// Reads `[mail]`.
pub(super) fn read_mail(section: &Section<'_>) -> Option<Mail> {
    let from = section.needed("from", "an address such as \"Countersign <countersign@example.com>\"", sender);
    let wanted = "smtps://HOST[:PORT] or smtp://HOST[:PORT]?tls=required, without a name or password; \
                  plain smtp:// on loopback only";
    let server = section.needed("smtp_url", wanted, server);
    let username = section.read("username", "the account at the mail server, 1 to 254 characters", |text| {
        (1..=254).contains(&text.len()).then(|| text.to_owned())
    });
    let has_password = section.value("password").is_some();
    let password = section.secret("password");
    if username.is_some() && !has_password {
        section.fault("password", "missing; wanted: a secret, because username is given");
    }
    if has_password && section.value("username").is_none() {
        section.fault("username", "missing; wanted: the account to which password belongs");
    }
    section.refuse_unknown();
    let login = username.zip(password).map(|(username, password)| SmtpLogin { username, password });
    let (from_name, from) = from?;
    let (host, port, tls) = server?;
    Some(Mail { from_name, from, smtp: Smtp { host, port, tls, login } })
}

/// Reads `[operators]`.
pub(super) fn read_operators(section: &Section<'_>) -> Operators {
    let address = |text: &str| EmailAddress::parse(text).ok();
    let mail = section.some("mail", "a mail address", address);
    let members = section.list("members", "a mail address", address);
    let viewers = section.list("viewers", "a mail address", address);
    let mut people = Distinct::default();
    for (key, listed) in [("members", &members), ("viewers", &viewers)] {
        for one in listed {
            people.note(section, key, &one.key());
        }
    }
    section.refuse_unknown();
    Operators { mail, members, viewers }
}

fn sender(text: &str) -> Option<(Option<ShortText>, EmailAddress)> {
    let Some((name, rest)) = text.split_once('<') else {
        return EmailAddress::parse(text.trim()).ok().map(|address| (None, address));
    };
    let address = EmailAddress::parse(rest.trim_end().strip_suffix('>')?).ok()?;
    let name = name.trim().trim_matches('"');
    let name = if name.is_empty() { None } else { Some(ShortText::parse(name).ok()?) };
    Some((name, address))
}

fn server(text: &str) -> Option<(String, u16, SmtpTls)> {
    let url = Url::parse(text).ok()?;
    let host = url.host_str().filter(|host| !host.is_empty())?.trim_matches(['[', ']']).to_owned();
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.fragment().is_none()
        && matches!(url.path(), "" | "/");
    let tls = match (url.scheme(), url.query()) {
        ("smtps", None) => SmtpTls::Implicit,
        ("smtp", Some("tls=required")) => SmtpTls::Required,
        ("smtp", None) if is_loopback(&url) => SmtpTls::None,
        _ => return None,
    };
    let usual = match tls {
        SmtpTls::None => 25,
        SmtpTls::Required => 587,
        SmtpTls::Implicit => 465,
    };
    bare.then(|| (host, url.port().unwrap_or(usual), tls))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_away_from_this_machine_needs_tls() {
        let read = |text| server(text).map(|(_, port, tls)| (port, tls));
        assert_eq!(read("smtp://127.0.0.1:1025"), Some((1025, SmtpTls::None)));
        assert_eq!(read("smtps://mail.example.com"), Some((465, SmtpTls::Implicit)));
        assert_eq!(read("smtp://mail.example.com?tls=required"), Some((587, SmtpTls::Required)));
        for bad in [
            "smtp://mail.example.com",
            "smtp://mail.example.com?tls=optional",
            "smtps://u:p@mail.example.com",
            "smtp://localhost/path",
            "https://mail.example.com",
            "smtp://",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_sender_may_have_a_name() {
        let (name, address) = sender("\"Counter Sign\" <c@example.com>").unwrap();
        assert_eq!((name.unwrap().as_str(), address.as_str()), ("Counter Sign", "c@example.com"));
        assert_eq!(sender("c@example.com").unwrap().0, None);
        assert!(sender("Counter <c@example.com").is_none());
        assert!(sender("A\r\nBcc: x@example.com <c@example.com>").is_none());
    }
}
