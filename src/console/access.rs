//! Who may look at the console, and who may act on it.
//!
//! Must hold: whoever has signed in and has a role may look. Without a sign-in it is open on the machine itself alone: both addresses of the settings are loopback,
//! the caller is on this machine, the Host header names one of the two addresses (so that no foreign name, pointed at
//! 127.0.0.1, leads a browser here), and no proxy has passed the request on. Whoever
//! acts is signed in as an operator, on this machine, too, and sends a form of our own page. Deliberately absent: doing
//! anything.

use std::net::SocketAddr;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{FromRequest as _, HttpRequest, HttpResponse};
use url::Url;

use crate::config::{Http, is_loopback};
use crate::kit::Kit;
use crate::people::{Role, Signed};
use crate::web::csrf;
use crate::web::home::Home;
use crate::web::page::Message;

/// Headers by which a proxy says that somebody else is asking.
const PASSED_ON: [&str; 5] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"];

/// Why the console is closed to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
enum Closed {
    #[error("Countersign is reachable from other machines (http.listen or http.public_url is not loopback)")]
    Reachable,
    #[error("the request comes from another machine, or a proxy has passed it on")]
    FromElsewhere,
    #[error("the address in the browser is not one of those in the settings")]
    OtherName,
}

/// Whoever may look, by name if they have signed in; everybody else is led to the sign-in, where somebody may sign in
/// at all, or told what can be done.
pub(super) async fn may_look(kit: &Kit, request: &HttpRequest) -> Result<Option<Signed>, Box<HttpResponse>> {
    let nobody = match Signed::extract(request).await {
        Ok(signed) => return Ok(Some(signed)),
        Err(nobody) => nobody,
    };
    match judge(&kit.settings.http, request.peer_addr(), request.headers()) {
        Ok(()) => Ok(None),
        Err(_) if somebody_may_sign_in(kit) => Err(Box::new(nobody.error_response())),
        Err(closed) => {
            tracing::warn!(because = %closed, "the console is closed to a request");
            Err(Box::new(page(kit, closed)))
        }
    }
}

/// May this person act with a form that came this way? Everybody else is told that nothing was done.
pub(super) fn may_act(kit: &Kit, request: &HttpRequest, signed: &Signed) -> Result<(), Box<HttpResponse>> {
    let refuse = |title: &str, words: &str| {
        let home = Home::of(kit);
        let message = Message::new(title, words).leading_to(home.path("/workflows"), "Show all workflows");
        Err(Box::new(message.answer(&home, StatusCode::FORBIDDEN)))
    };
    if let Err(foreign) = csrf::from_own_page(request.headers(), &kit.settings.http.public_url) {
        tracing::warn!(because = %foreign, "a form of the console was refused: it is not ours");
        return refuse("This form did not come from our own page", "Nothing was done.");
    }
    if signed.role < Role::Operator {
        return refuse("You may look, and not act", "Your role is that of a viewer. Nothing was done.");
    }
    Ok(())
}

/// Does the console know anybody by name?
pub(super) fn somebody_may_sign_in(kit: &Kit) -> bool {
    !kit.settings.operators.members.is_empty() || !kit.settings.operators.viewers.is_empty()
}

fn judge(http: &Http, peer: Option<SocketAddr>, headers: &HeaderMap) -> Result<(), Closed> {
    if !http.listen.ip().is_loopback() || !is_loopback(&http.public_url) {
        return Err(Closed::Reachable);
    }
    let passed_on = PASSED_ON.iter().any(|name| headers.contains_key(*name));
    if passed_on || !peer.is_some_and(|peer| peer.ip().is_loopback()) {
        return Err(Closed::FromElsewhere);
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let listen = Url::parse(&format!("http://{}", http.listen)).ok();
    let ours = [Some(&http.public_url), listen.as_ref()].into_iter().flatten().any(|url| names(host, url));
    if ours { Ok(()) } else { Err(Closed::OtherName) }
}

/// Does a Host header name the host and the port of this address?
fn names(host: &str, url: &Url) -> bool {
    let Ok(asked) = Url::parse(&format!("{}://{host}", url.scheme())) else { return false };
    let plain = asked.username().is_empty() && asked.password().is_none() && asked.path() == "/";
    plain
        && asked.host_str() == url.host_str()
        && asked.port_or_known_default() == url.port_or_known_default()
}

fn page(kit: &Kit, closed: Closed) -> HttpResponse {
    let address = kit.settings.http.public_url.as_str().trim_end_matches('/');
    let message = Message::new(
        "The console is closed here",
        format!(
            "Without a sign-in it opens on the machine that runs Countersign, and nowhere else: {closed}."
        ),
    );
    let message = match closed {
        Closed::Reachable => message.and(
            "Name people under operators.members or operators.viewers in the settings, and they can sign in. Until then \
             operators use the commands on that machine (countersign workflow --help), and programs the JSON API with \
             a token.",
        ),
        Closed::FromElsewhere | Closed::OtherName => message.and(format!(
            "On that machine, open {address}/workflows. From elsewhere, a tunnel to the same port does it, such as \
             ssh -L {0}:127.0.0.1:{0}.",
            kit.settings.http.listen.port()
        )),
    };
    message.answer(&Home::of(kit), StatusCode::FORBIDDEN)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn judged(http: (&str, &str), peer: &str, given: &[(&'static str, &'static str)]) -> Result<(), Closed> {
        let http = Http {
            listen: http.0.parse().unwrap(),
            public_url: Url::parse(http.1).unwrap(),
            trusted_proxies: Vec::new(),
        };
        let mut headers = HeaderMap::new();
        for (name, value) in given {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        judge(&http, peer.parse().ok(), &headers)
    }

    #[test]
    fn it_opens_on_the_machine_itself_alone() {
        let home = ("127.0.0.1:8080", "http://localhost:8080");
        let near = "127.0.0.1:50000";
        for host in ["localhost:8080", "LOCALHOST:8080", "127.0.0.1:8080"] {
            let headers = [("host", host)];
            assert_eq!(judged(home, near, &headers), Ok(()), "{host}");
        }
        for host in
            ["", "localhost", "evil.example:8080", "127.0.0.1:8080@evil.example", "localhost:8080/x", "a b"]
        {
            assert_eq!(judged(home, near, &[("host", host)]), Err(Closed::OtherName), "{host}");
        }
        assert_eq!(judged(home, near, &[]), Err(Closed::OtherName));
        for http in [("0.0.0.0:8080", home.1), (home.0, "https://countersign.example.com")] {
            assert_eq!(judged(http, near, &[("host", "localhost:8080")]), Err(Closed::Reachable));
        }
        assert_eq!(judged(home, "10.0.0.9:50000", &[("host", "localhost:8080")]), Err(Closed::FromElsewhere));
        for proxy in PASSED_ON {
            let headers = [("host", "localhost:8080"), (proxy, "for=10.0.0.9")];
            assert_eq!(judged(home, near, &headers), Err(Closed::FromElsewhere), "{proxy}");
        }
    }
}
