//! Asking for a code and entering it, whichever page it is done on.
//!
//! Must hold: one deed each; an outcome that is unknown is asked for once more, and the deeds find what they wrote.

use actix_web::HttpRequest;
use actix_web::cookie::Cookie;

use super::cookies::{self, Jar};
use super::session;
use crate::domain::canon::Digest;
use crate::domain::ids::{SignInId, WorkflowId};
use crate::domain::names::EmailAddress;
use crate::domain::sign_in::{CODE_HOLDS, TooOften};
use crate::key::BrowserSecret;
use crate::kit::Kit;
use crate::store::codes::{self, AskForCode, Begins, Code, EnterCode, Entered, NewCode, Sort, Whose};
use crate::store::sessions::NewSession;
use crate::store::{ReadFault, WriteFault};
use crate::web::client;

/// The browser's cookie outlives the code a little, so that a late code is told to be late.
const BROWSER_SECONDS: i64 = 3_600;

/// Whom a code is for.
pub(super) struct Wanted<'a> {
    pub(super) address: &'a EmailAddress,
    pub(super) workflow: Option<WorkflowId>,
    pub(super) sort: Sort,
}

/// What came of asking.
pub(super) enum Asked {
    /// The code is owed; the browser must keep this.
    Owed(Cookie<'static>),
    /// Not yet.
    TooOften(TooOften),
    /// It could not be written.
    Unavailable,
}

/// Asks for a code.
pub(super) async fn ask(kit: &Kit, request: &HttpRequest, wanted: Wanted<'_>) -> Asked {
    let secret = cookies::read(kit, request, Jar::Browser)
        .map_or_else(|| BrowserSecret::made(&kit.world), |sent| BrowserSecret::received(&sent));
    let browser = secret.hash();
    let stamp = kit.world.stamp();
    let id = SignInId::made(stamp.at, kit.world.bytes());
    let digits = kit.keys.sign_in_code(id, wanted.address, browser);
    let code = NewCode {
        id,
        workflow: wanted.workflow,
        address: wanted.address.clone(),
        sort: wanted.sort,
        browser,
        client: client::of(&kit.settings.http, request),
        code_hash: kit.keys.sign_in_code_hash(id, digits.reveal()),
        expires_at: stamp.at.plus(CODE_HOLDS),
    };
    let deed = || AskForCode { stamp: stamp.clone(), code: code.clone() };
    let mut written = kit.store.write(deed()).await;
    if matches!(written, Err(WriteFault::Unknown(_))) {
        written = kit.store.write(deed()).await;
    }
    match written {
        Ok(()) => {
            tracing::info!("a sign-in code was asked for");
            Asked::Owed(cookies::bake(kit, Jar::Browser, secret.reveal(), BROWSER_SECONDS))
        }
        Err(WriteFault::Refused(often)) => {
            tracing::warn!("a sign-in code was asked for too often");
            metrics::counter!("countersign_sign_in_codes_refused_total").increment(1);
            Asked::TooOften(often)
        }
        Err(WriteFault::Unavailable(_) | WriteFault::Unknown(_)) => Asked::Unavailable,
    }
}

/// The browser that sends this request, if it has asked for a code lately.
fn browser(kit: &Kit, request: &HttpRequest) -> Option<Digest> {
    cookies::read(kit, request, Jar::Browser).map(|sent| BrowserSecret::received(&sent).hash())
}

/// The code that this browser may enter.
pub(super) async fn latest(
    kit: &Kit,
    request: &HttpRequest,
    whose: Whose<'_>,
) -> Result<Option<Code>, ReadFault> {
    match browser(kit, request) {
        Some(browser) => codes::latest(&kit.store, browser, whose).await,
        None => Ok(None),
    }
}

/// What came of entering a code.
pub(super) enum Came {
    /// The session has begun; the browser must keep these.
    In(Box<[Cookie<'static>; 2]>),
    /// What was typed is no code at all. It counts as no try.
    NoCode,
    /// Another code is the one; so many tries are left.
    Wrong(u32),
    /// No code holds any more in this browser.
    Over,
    /// It could not be read or written.
    Unavailable,
}

/// Enters a code.
pub(super) async fn enter(kit: &Kit, request: &HttpRequest, whose: Whose<'_>, typed: &str) -> Came {
    let typed: String = typed.chars().filter(|sign| !sign.is_whitespace() && *sign != '-').collect();
    if typed.len() != 6 || !typed.bytes().all(|byte| byte.is_ascii_digit()) {
        return Came::NoCode;
    }
    let (code, before) = match (latest(kit, request, whose).await, session::of(kit, request).await) {
        (Ok(Some(code)), Ok(before)) => (code, before),
        (Ok(None), Ok(_)) => return Came::Over,
        (Err(_), _) | (_, Err(_)) => return Came::Unavailable,
    };
    let secret = BrowserSecret::made(&kit.world);
    let stamp = kit.world.stamp();
    let session = NewSession {
        id_hash: secret.hash(),
        ends_at: stamp.at.plus(kit.settings.sign_in.lifetime),
        replaces: before.map(|session| session.id_hash),
    };
    let ends_at = session.ends_at;
    let link = match whose {
        Whose::Of(_, workflow) => Some(workflow),
        Whose::Typed => None,
    };
    let deed = || EnterCode {
        link,
        stamp: stamp.clone(),
        code: code.id,
        browser: code.browser,
        typed: kit.keys.sign_in_code_hash(code.id, &typed),
        begins: Begins::Session(session.clone()),
    };
    let mut written = kit.store.write(deed()).await;
    if matches!(written, Err(WriteFault::Unknown(_))) {
        written = kit.store.write(deed()).await;
    }
    match written {
        Ok(Entered::SignedIn(address)) => {
            tracing::info!(who = %address.masked(), "somebody signed in");
            metrics::counter!("countersign_sign_ins_total").increment(1);
            let session = session::cookie(kit, &secret, ends_at);
            Came::In(Box::new([session, cookies::gone(kit, Jar::Browser)]))
        }
        Ok(Entered::Wrong(left)) => Came::Wrong(left),
        Ok(Entered::Over) => Came::Over,
        Err(WriteFault::Refused(never)) => match never {},
        Err(WriteFault::Unavailable(_) | WriteFault::Unknown(_)) => Came::Unavailable,
    }
}
