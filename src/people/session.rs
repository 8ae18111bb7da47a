//! The session that a request comes with.
//!
//! Must hold: the id is looked up by its hash, at every request, so that an ended session ends at once; the idle limit
//! travels in the cookie, under our own seal, since looking may not write. A cookie that was put aside is worth
//! nothing once the limit has passed over it.

use actix_web::body::MessageBody;
use actix_web::cookie::Cookie;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::{HttpMessage as _, HttpRequest};
use chrono::TimeDelta;

use super::cookies::{self, Jar};
use crate::domain::time::Timestamp;
use crate::key::BrowserSecret;
use crate::kit::Kit;
use crate::store::ReadFault;
use crate::store::sessions::{self, Session};

/// A cookie younger than this is left as it is.
const RENEW_AFTER: TimeDelta = TimeDelta::minutes(1);

/// A cookie that the answer will carry.
struct Renewed(Cookie<'static>);

/// Who has signed in, in the browser that sends this request.
pub(super) async fn of(kit: &Kit, request: &HttpRequest) -> Result<Option<Session>, ReadFault> {
    let Some(sent) = cookies::read(kit, request, Jar::Session) else { return Ok(None) };
    let Some((secret, seen)) = opened(kit, &sent) else { return Ok(None) };
    let now = kit.world.now();
    if now.since(seen) > kit.settings.sign_in.idle_after {
        return Ok(None);
    }
    let session = sessions::standing(&kit.store, secret.hash(), now).await?;
    if let Some(session) = session.as_ref().filter(|_| now.since(seen) >= RENEW_AFTER) {
        request.extensions_mut().insert(Renewed(cookie(kit, &secret, session.ends_at)));
    }
    Ok(session)
}

/// The id, and when the session was seen last, if that is our own word.
fn opened(kit: &Kit, sent: &str) -> Option<(BrowserSecret, Timestamp)> {
    let mut parts = sent.split('.');
    let (id, seconds, mark) = (parts.next()?, parts.next()?, parts.next()?);
    let secret = BrowserSecret::received(id);
    let seen = Timestamp::from_unix_seconds(seconds.parse().ok()?)?;
    let whole = parts.next().is_none() && kit.keys.seen_mark_holds(secret.hash(), seen, mark);
    whole.then_some((secret, seen))
}

/// The cookie of a session that is seen now.
pub(super) fn cookie(kit: &Kit, secret: &BrowserSecret, ends_at: Timestamp) -> Cookie<'static> {
    let now = kit.world.now();
    let mark = kit.keys.seen_mark(secret.hash(), now);
    let value = format!("{}.{}.{mark}", secret.reveal(), now.unix_seconds());
    cookies::bake(kit, Jar::Session, &value, ends_at.since(now).num_seconds())
}

/// Lets an answer carry the renewed cookie of the session that its request came with, unless it sets another itself.
pub async fn renew(
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let mut answer = next.call(request).await?;
    let renewed = answer.request().extensions_mut().remove::<Renewed>();
    if let Some(Renewed(cookie)) = renewed {
        let is_set = answer.response().cookies().any(|other| other.name() == cookie.name());
        if !is_set {
            answer.response_mut().add_cookie(&cookie)?;
        }
    }
    Ok(answer)
}
