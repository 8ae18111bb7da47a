//! What differs from product to product in `[[targets]]`: how the service signs in. And the way there: the proxy.
//!
//! Must hold: a key of one product is refused on another, with a word on where it belongs; a proxy's password stands
//! in a secret, never in the address; what is not encrypted itself is not sent through a proxy of another machine.

use chrono::TimeDelta;
use secrecy::SecretString;
use url::Url;

use super::http::{is_loopback, plain_url, sheltered_url};
use super::reader::Section;
use super::secrets::Secret;

/// The products, each with the account that the service works with.
#[derive(Debug, Clone)]
pub enum Product {
    /// CyberArk Privilege Cloud on Shared Services.
    PrivilegeCloud(ClientCredentials),
    /// CyberArk PAM on the customer's own machines.
    SelfHosted(SessionLogon),
}

/// A service user of the platform and where its tokens come from.
#[derive(Debug, Clone)]
pub struct ClientCredentials {
    /// The token endpoint.
    pub token_url: Url,
    /// The service user's login name.
    pub client_id: String,
    /// Its secret.
    pub client_secret: Secret,
}

/// A user of the vault that opens a session.
#[derive(Debug, Clone)]
pub struct SessionLogon {
    /// Who checks the password.
    pub method: LogonMethod,
    /// The user.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// Whether other sessions of the same user may stand beside ours.
    pub sessions: Sessions,
    /// A session that was not used for so long is over.
    pub idle_limit: TimeDelta,
}

/// Who checks the password of a log-on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogonMethod {
    /// The vault itself.
    CyberArk,
    /// A directory.
    Ldap,
    /// A RADIUS server.
    Radius,
    /// Windows.
    Windows,
}

impl LogonMethod {
    /// The word in the settings and in the path of the log-on.
    pub const fn word(self) -> &'static str {
        match self {
            Self::CyberArk => "CyberArk",
            Self::Ldap => "LDAP",
            Self::Radius => "RADIUS",
            Self::Windows => "Windows",
        }
    }
}

/// Does the vault keep several sessions of one user?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sessions {
    /// Each log-on asks for a session beside those that stand (product 11.3 and later).
    Concurrent,
    /// A log-on ends the session before it.
    OneAtATime,
}

/// The way to a target that is not reached directly.
#[derive(Debug, Clone)]
pub struct Proxy {
    /// Its address, without credentials.
    pub url: Url,
    /// What it is told about us, where it asks.
    pub login: Option<ProxyLogin>,
}

/// A name and a password for a proxy.
#[derive(Debug, Clone)]
pub struct ProxyLogin {
    /// The name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

impl Product {
    /// The account that the service works with, as it signs in.
    pub fn account(&self) -> &str {
        match self {
            Self::PrivilegeCloud(cloud) => &cloud.client_id,
            Self::SelfHosted(logon) => &logon.username,
        }
    }
}

const OF_THE_CLOUD: [&str; 3] = ["token_url", "client_id", "client_secret"];
const OF_SELF_HOSTED: [&str; 5] =
    ["logon", "username", "password", "concurrent_sessions", "session_idle_limit"];

/// Reads `product` and what belongs to it.
pub(super) fn read_product(section: &Section<'_>) -> Option<Product> {
    let word = section.needed("product", "\"privilege-cloud\" or \"self-hosted\"", |text| {
        ["privilege-cloud", "self-hosted"].into_iter().find(|known| *known == text)
    });
    match word {
        Some("self-hosted") => {
            misplaced(section, &OF_THE_CLOUD, "privilege-cloud", "username and password");
            read_logon(section).map(Product::SelfHosted)
        }
        Some(_) => {
            misplaced(section, &OF_SELF_HOSTED, "self-hosted", "token_url, client_id and client_secret");
            read_credentials(section).map(Product::PrivilegeCloud)
        }
        // Which keys belong here is not known, so none of them is a second fault.
        None => {
            for name in OF_THE_CLOUD.into_iter().chain(OF_SELF_HOSTED) {
                section.value(name);
            }
            None
        }
    }
}

fn misplaced(section: &Section<'_>, names: &[&'static str], belongs_to: &str, instead: &str) {
    for name in names {
        if section.value(name).is_some() {
            section.fault(name, format!("belongs to product = \"{belongs_to}\"; wanted here: {instead}"));
        }
    }
}

fn read_credentials(section: &Section<'_>) -> Option<ClientCredentials> {
    let token_url = read_address(section, "token_url");
    let client_id = read_name(section, "client_id", "the name of the service account");
    let client_secret = section.needed_lasting_secret("client_secret");
    Some(ClientCredentials { token_url: token_url?, client_id: client_id?, client_secret: client_secret? })
}

fn read_logon(section: &Section<'_>) -> Option<SessionLogon> {
    let methods = [LogonMethod::CyberArk, LogonMethod::Ldap, LogonMethod::Radius, LogonMethod::Windows];
    let method = section.needed("logon", "\"CyberArk\", \"LDAP\", \"RADIUS\" or \"Windows\"", |text| {
        methods.into_iter().find(|method| method.word() == text)
    });
    let username = read_name(section, "username", "the user of the vault that this service works with");
    let password = section.needed_lasting_secret("password");
    let sessions = match section.yes_or_no("concurrent_sessions") {
        None | Some(true) => Sessions::Concurrent,
        Some(false) => Sessions::OneAtATime,
    };
    let seconds = TimeDelta::seconds;
    let idle_limit = section.span("session_idle_limit", seconds(3)..=seconds(86_400), seconds(1_200));
    Some(SessionLogon { method: method?, username: username?, password: password?, sessions, idle_limit })
}

fn read_name(section: &Section<'_>, name: &'static str, wanted: &str) -> Option<String> {
    section.needed(name, wanted, |text| {
        let fits = (1..=256).contains(&text.len()) && !text.chars().any(char::is_control);
        fits.then(|| text.to_owned())
    })
}

/// Reads an address of the product, without a slash at its end.
pub(super) fn read_address(section: &Section<'_>, name: &'static str) -> Option<Url> {
    section.needed(name, "an https address without name, password and query; http only on loopback", |text| {
        let mut url = sheltered_url(text)?;
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&path);
        Some(url)
    })
}

/// Reads `proxy` and its login. `addresses` are those that will be reached through it.
pub(super) fn read_proxy(section: &Section<'_>, addresses: &[&Url]) -> Option<Proxy> {
    let given = section.value("proxy").is_some_and(|value| value.as_str() != Some(""));
    let wanted = "http://HOST:PORT without name, password and path; a password stands in proxy_password";
    let url = section.value("proxy").filter(|_| given).and_then(|_| {
        section.read("proxy", wanted, |text| {
            plain_url(text).filter(|url| url.scheme() == "http" && url.path() == "/")
        })
    });
    let username = section.value("proxy_username").and_then(|_| {
        read_name(section, "proxy_username", "the name under which the proxy knows this service")
    });
    let login = match (section.value("proxy_username").is_some(), section.value("proxy_password").is_some()) {
        (false, false) => None,
        (true, _) => {
            let password = section.needed_secret("proxy_password");
            username.zip(password).map(|(username, password)| ProxyLogin { username, password })
        }
        (false, true) => {
            section.fault("proxy_username", "missing; wanted: a name, because proxy_password is given");
            None
        }
    };
    if login.is_some() && !given {
        section.fault("proxy", format!("missing; wanted: {wanted}, because proxy_username is given"));
    }
    let url = url?;
    if !is_loopback(&url) && addresses.iter().any(|address| address.scheme() == "http") {
        section.fault("proxy", "wanted: a proxy on this machine, or https in every address of the target");
    }
    Some(Proxy { url, login })
}
