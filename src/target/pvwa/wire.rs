//! The one HTTP client of a target: time-outs, no redirects, a bound on calls in flight and on answers.
//!
//! Must hold: every call ends within its time; nothing is sent twice behind our back; no credential reaches a log.
//! Deliberately absent: what an answer means (see `answer.rs`) and where the pass comes from (see `gate.rs`).

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, COOKIE, HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::{Certificate, Client, Method, Response};
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::sync::Semaphore;
use url::Url;

use super::BadConnection;
use super::answer::{Answer, Body, clean};
use super::cookies::Cookies;
use super::sign_in::Pass;
use crate::config::Proxy;
use crate::domain::pace::Pace;
use crate::domain::time::Timestamp;

const WHOLE_CALL: Duration = Duration::from_secs(30);
const CONNECT: Duration = Duration::from_secs(5);
/// Shorter than usual idle limits of servers, so that a write seldom meets a connection that is just being closed.
const IDLE: Duration = Duration::from_secs(15);
const LARGEST_ANSWER: usize = 8 * 1024 * 1024;

/// One call below the interface's address.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) method: Method,
    /// Words and numbers between slashes; never a name out of a request.
    pub(super) path: String,
    /// A name that ends the path, in a segment of its own.
    pub(super) name: Option<String>,
    pub(super) query: Vec<(String, String)>,
    pub(super) body: Option<Value>,
}

/// What came of sending.
#[derive(Debug)]
pub(super) enum Sent {
    Answer(Answer),
    /// No connection came about, so nothing was received; why, where the machine says.
    Unreached(String),
    /// The call may have arrived; the status, where one was still seen.
    Lost(Option<u16>),
}

/// The client with its address and its bounds.
#[derive(Debug)]
pub(super) struct Wire {
    http: Client,
    base: Url,
    permits: Semaphore,
    pace: Option<Mutex<Pace>>,
}

impl Wire {
    pub(super) fn new(base: Url, http: Client, most_at_once: usize) -> Result<Self, BadConnection> {
        if most_at_once == 0 || most_at_once > 256 {
            return Err(BadConnection::CallsAtOnce);
        }
        Ok(Self { http, base, permits: Semaphore::new(most_at_once), pace: None })
    }

    /// The same, with so many calls a second at most.
    pub(super) fn paced(mut self, calls_per_second: Option<u32>) -> Self {
        self.pace = calls_per_second.map(|calls| Mutex::new(Pace::of(calls)));
        self
    }

    /// Where the interface is.
    pub(super) fn base(&self) -> &Url {
        &self.base
    }

    /// Sends one call, once.
    pub(super) async fn send(&self, call: &Call, pass: &Pass, now: Timestamp) -> Sent {
        let wait = self.pace.as_ref().map(|pace| {
            pace.lock().unwrap_or_else(PoisonError::into_inner).take(now).to_std().unwrap_or_default()
        });
        if let Some(wait) = wait.filter(|wait| !wait.is_zero()) {
            pause(wait).await;
        }
        let Ok(_permit) = self.permits.acquire().await else {
            return Sent::Unreached("no more calls are made".to_owned());
        };
        let Ok(mut credential) = HeaderValue::from_str(pass.header.expose_secret()) else {
            return Sent::Unreached("the token cannot stand in a header".to_owned());
        };
        credential.set_sensitive(true);
        let mut sending = self
            .http
            .request(call.method.clone(), self.address(call))
            .query(&call.query)
            .header(AUTHORIZATION, credential)
            .header(ACCEPT, "application/json");
        match &call.body {
            Some(body) => sending = sending.json(body),
            // Web servers of this kind refuse a POST that does not say how long it is.
            None if call.method == Method::POST => sending = sending.header(CONTENT_LENGTH, 0),
            None => {}
        }
        if let Some(cookies) = pass.cookies.as_ref().and_then(Cookies::header) {
            sending = sending.header(COOKIE, cookies);
        }
        let sent = sending.send().await;
        if let (Ok(response), Some(cookies)) = (&sent, &pass.cookies) {
            cookies.take_in(response.headers());
        }
        received(sent, now).await
    }

    fn address(&self, call: &Call) -> Url {
        let mut address = below(&self.base, &call.path);
        if let (Some(name), Ok(mut segments)) = (&call.name, address.path_segments_mut()) {
            // The slash behind it keeps a web server from taking a name with a dot for a file.
            segments.push(name).push("");
        }
        address
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "calls are spread over time as the settings ask; none is put off by it"
)]
async fn pause(wait: Duration) {
    tokio::time::sleep(wait).await;
}

/// The address of a path below the interface's own.
pub(super) fn below(base: &Url, path: &str) -> Url {
    let mut address = base.clone();
    // An address that cannot hold a path is refused by `checked` before a wire is made.
    if let Ok(mut segments) = address.path_segments_mut() {
        segments.pop_if_empty().extend(path.split('/'));
    }
    address
}

/// Takes an answer in, up to the bound.
pub(super) async fn received(sent: reqwest::Result<Response>, now: Timestamp) -> Sent {
    let mut response = match sent {
        Ok(response) => response,
        Err(fault) if fault.is_connect() || fault.is_builder() => return Sent::Unreached(root_cause(&fault)),
        Err(_) => return Sent::Lost(None),
    };
    let status = response.status().as_u16();
    let retry_after = retry_after(response.headers(), now);
    let mut bytes = Vec::new();
    loop {
        match response.chunk().await {
            Ok(Some(chunk)) if bytes.len() + chunk.len() > LARGEST_ANSWER => {
                return Sent::Answer(Answer { status, body: Body::TooLarge, retry_after });
            }
            Ok(Some(chunk)) => bytes.extend_from_slice(&chunk),
            Ok(None) => return Sent::Answer(Answer { status, body: Body::of(&bytes), retry_after }),
            Err(_) => return Sent::Lost(Some(status)),
        }
    }
}

/// The innermost reason, such as a refused connection or an unknown certificate; it holds no address.
fn root_cause(fault: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = fault;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    if fault.is_timeout() {
        "no connection within five seconds".to_owned()
    } else {
        clean(&cause.to_string())
    }
}

/// Seconds or an HTTP date (RFC 9110, section 10.2.3).
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<u32> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse::<u32>() {
        return Some(seconds);
    }
    let moment = chrono::DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&chrono::Utc);
    u32::try_from(Timestamp::from_utc(moment).since(now).num_seconds().max(0)).ok()
}

/// A client that trusts the machine's roots and, where given, a private authority's, and goes through a proxy only
/// where one is given.
pub(super) fn client(ca_pem: Option<&[u8]>, proxy: Option<&Proxy>) -> Result<Client, BadConnection> {
    let mut builder = Client::builder()
        .timeout(WHOLE_CALL)
        .connect_timeout(CONNECT)
        .pool_idle_timeout(IDLE)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        // A proxy is a setting, never a surprise from the environment.
        .no_proxy()
        .user_agent(concat!("countersign/", env!("CARGO_PKG_VERSION")));
    if let Some(pem) = ca_pem {
        let authorities = Certificate::from_pem_bundle(pem).map_err(|_| BadConnection::Authority)?;
        if authorities.is_empty() {
            return Err(BadConnection::Authority);
        }
        builder = builder.tls_certs_merge(authorities);
    }
    if let Some(proxy) = proxy {
        let mut way = reqwest::Proxy::all(proxy.url.clone()).map_err(|_| BadConnection::Proxy)?;
        if let Some(login) = &proxy.login {
            way = way.basic_auth(&login.username, login.password.expose_secret());
        }
        builder = builder.proxy(way);
    }
    builder.build().map_err(|source| BadConnection::Client { source })
}

/// Checks an address: `https`, or `http` on this machine alone; no credentials, query or fragment in it.
pub(super) fn checked(address: Url, what: &'static str) -> Result<Url, BadConnection> {
    let loopback = match address.host() {
        Some(url::Host::Domain(name)) => name.eq_ignore_ascii_case("localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => return Err(BadConnection::Address { what }),
    };
    let plain = address.username().is_empty()
        && address.password().is_none()
        && address.query().is_none()
        && address.fragment().is_none();
    match address.scheme() {
        "https" if plain => Ok(address),
        "http" if plain && loopback => Ok(address),
        "http" if plain => Err(BadConnection::NotEncrypted { what }),
        _ => Err(BadConnection::Address { what }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_encrypted_or_on_this_machine() {
        let check = |text: &str| checked(Url::parse(text).unwrap(), "api_url").is_ok();
        assert!(check("https://acme.example.com/PasswordVault/API"));
        assert!(check("http://127.0.0.1:9090/PasswordVault/API"));
        assert!(check("http://[::1]:9090/"));
        for bad in
            ["http://acme.example.com/", "https://u:p@acme.example.com/", "https://a.example/?x=1", "data:x"]
        {
            assert!(!check(bad), "{bad}");
        }
    }

    #[test]
    fn faults_of_the_settings_are_found_before_the_first_call() {
        assert!(matches!(client(Some(b"not a certificate"), None), Err(BadConnection::Authority)));
        let base = Url::parse("http://localhost/").unwrap();
        for calls in [0, 257] {
            let wire = Wire::new(base.clone(), client(None, None).unwrap(), calls);
            assert!(matches!(wire, Err(BadConnection::CallsAtOnce)), "{calls}");
        }
    }

    #[test]
    fn paths_go_below_the_interface_address() {
        for base in ["http://localhost/PasswordVault/API", "http://localhost/PasswordVault/API/"] {
            let wire = Wire::new(Url::parse(base).unwrap(), client(None, None).unwrap(), 1).unwrap();
            let mut call = Call {
                method: Method::GET,
                path: "Users/7".to_owned(),
                name: None,
                query: vec![],
                body: None,
            };
            assert_eq!(wire.address(&call).path(), "/PasswordVault/API/Users/7");
            call.name = Some("zo/b.rien %".to_owned());
            assert_eq!(wire.address(&call).path(), "/PasswordVault/API/Users/7/zo%2Fb.rien%20%25/");
        }
    }

    #[test]
    fn retry_after_is_read_in_both_spellings() {
        let now = Timestamp::parse("1994-11-06T08:49:30Z").unwrap();
        let read = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("17"), Some(17));
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(7));
        assert_eq!(read("Sun, 06 Nov 1994 08:00:00 GMT"), Some(0));
        assert_eq!(read("soon"), None);
    }
}
