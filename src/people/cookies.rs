//! The two cookies: which browser this is while it signs in, and its session afterwards.
//!
//! Must hold: no script reads them, no other site's form sends them, and off loopback they travel over TLS alone and
//! can be set by nobody but this very host (`__Host-`). `Lax` and not `Strict`: the click in a mail comes from
//! elsewhere, and the page it leads to must know its reader.

use actix_web::HttpRequest;
use actix_web::cookie::time::Duration;
use actix_web::cookie::{Cookie, SameSite};

use crate::kit::Kit;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Jar {
    /// Binds a code to the browser that asked for it.
    Browser,
    /// The session.
    Session,
}

impl Jar {
    /// The name. The prefix makes a browser refuse the cookie unless it is for this host alone and over TLS.
    pub(super) fn name(self, kit: &Kit) -> &'static str {
        match (self, is_over_tls(kit)) {
            (Self::Browser, true) => "__Host-countersign-browser",
            (Self::Browser, false) => "countersign-browser",
            (Self::Session, true) => "__Host-countersign-session",
            (Self::Session, false) => "countersign-session",
        }
    }
}

fn is_over_tls(kit: &Kit) -> bool {
    kit.settings.http.public_url.scheme() == "https"
}

/// What the browser sent.
pub(super) fn read(kit: &Kit, request: &HttpRequest, jar: Jar) -> Option<String> {
    request.cookie(jar.name(kit)).map(|cookie| cookie.value().to_owned())
}

/// A cookie to be set for so many seconds; none takes it away.
pub(super) fn bake(kit: &Kit, jar: Jar, value: &str, seconds: i64) -> Cookie<'static> {
    Cookie::build(jar.name(kit), value.to_owned())
        .path("/")
        .http_only(true)
        .secure(is_over_tls(kit))
        .same_site(SameSite::Lax)
        .max_age(Duration::seconds(seconds))
        .finish()
}

/// Takes a cookie away.
pub(super) fn gone(kit: &Kit, jar: Jar) -> Cookie<'static> {
    bake(kit, jar, "", 0)
}
