//! The cookies of one session: a load balancer in front of several web servers finds the right one by them.
//!
//! Must hold: they belong to one session and end with it; they are shown in no log. There is one address, so their
//! domain and path are of no interest. Deliberately absent: cookies of tokens, which every server knows.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{HeaderMap, HeaderValue, SET_COOKIE};

/// More than this nobody needs; what comes beyond is not kept.
const MOST: usize = 32;
/// A browser keeps no longer ones (RFC 6265, section 6.1).
const LONGEST: usize = 4096;

/// The cookies of one session. Clones are the same jar.
#[derive(Clone, Default)]
pub(super) struct Cookies(Arc<Mutex<BTreeMap<String, String>>>);

impl Cookies {
    /// Keeps what an answer sets, and forgets what it takes back.
    pub(super) fn take_in(&self, headers: &HeaderMap) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for line in headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok()) {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            let taken_back = value.is_empty() || parts.any(|part| part.eq_ignore_ascii_case("max-age=0"));
            if taken_back {
                kept.remove(name);
            } else if line.len() <= LONGEST && (kept.len() < MOST || kept.contains_key(name)) {
                kept.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    /// What each of them says.
    pub(super) fn values(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// What the next call carries.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pairs: Vec<String> = kept.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut header = HeaderValue::from_str(&pairs.join("; ")).ok().filter(|_| !pairs.is_empty())?;
        header.set_sensitive(true);
        Some(header)
    }
}

impl fmt::Debug for Cookies {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Cookies(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(lines: &[&'static str]) -> HeaderMap {
        lines.iter().map(|line| (SET_COOKIE, HeaderValue::from_static(line))).collect()
    }

    #[test]
    fn cookies_are_kept_replaced_and_taken_back() {
        let cookies = Cookies::default();
        assert!(cookies.header().is_none());
        cookies.take_in(&answer(&["node=a; Path=/PasswordVault; HttpOnly", "CA1=x=y; secure", "strange"]));
        assert_eq!(cookies.header().unwrap(), "CA1=x=y; node=a");
        cookies.take_in(&answer(&["node=b", "CA1=; expires=Thu, 01-Jan-1970 00:00:00 GMT"]));
        assert_eq!(cookies.header().unwrap(), "node=b");
        cookies.take_in(&answer(&["node=c; Max-Age=0"]));
        assert!(cookies.header().is_none());
        assert_eq!(format!("{cookies:?}"), "Cookies(..)");
    }
}
