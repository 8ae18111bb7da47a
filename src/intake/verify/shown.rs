//! A secret that is shown with the message: a token in a header, or HTTP Basic.
//!
//! Must hold: hashes are compared, in constant time, so that neither bytes nor length show; every secret is looked at.
//! It proves who sends and nothing about what is sent: no header beside it is to be believed.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq as _};

use super::not_authentic::NotAuthentic;
use crate::config::{Basic, Token};
use crate::intake::body::only;

/// Is one of the secrets the value of the header?
pub(super) fn verify_token(token: &Token, headers: &HeaderMap) -> Result<(), NotAuthentic> {
    let name = token.header.as_str();
    let shown = only(headers, name).ok_or_else(|| NotAuthentic::Header(name.to_owned()))?;
    let wanted = token.secrets.iter().map(|secret| format!("{}{}", token.prefix, secret.expose_secret()));
    if_any(shown.as_bytes(), wanted)
}

/// Are name and password as they should be?
pub(super) fn verify_basic(basic: &Basic, headers: &HeaderMap) -> Result<(), NotAuthentic> {
    let shown = only(headers, AUTHORIZATION.as_str())
        .ok_or_else(|| NotAuthentic::Header(AUTHORIZATION.as_str().to_owned()))?;
    let (scheme, pair) = shown.split_once(' ').unwrap_or_default();
    let pair = STANDARD.decode(pair.trim_matches(' ')).ok();
    let pair = pair.filter(|_| scheme.eq_ignore_ascii_case("basic")).ok_or(NotAuthentic::NotTheSecret)?;
    let wanted =
        basic.passwords.iter().map(|password| format!("{}:{}", basic.username, password.expose_secret()));
    if_any(&pair, wanted)
}

fn if_any(shown: &[u8], wanted: impl Iterator<Item = String>) -> Result<(), NotAuthentic> {
    let shown = Sha256::digest(shown);
    let same =
        wanted.fold(Choice::from(0), |found, one| found | Sha256::digest(one.as_bytes()).ct_eq(&shown));
    if bool::from(same) { Ok(()) } else { Err(NotAuthentic::NotTheSecret) }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use secrecy::SecretString;

    use super::*;
    use crate::config::HeaderText;

    const OLD: &str = "old-secret-of-the-ticket-system";
    const NEW: &str = "new-secret-of-the-ticket-system";

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn secrets() -> Vec<SecretString> {
        vec![SecretString::from(OLD), SecretString::from(NEW)]
    }

    #[test]
    fn a_token_is_the_exact_value_of_its_header() {
        let header = HeaderText::parse("Authorization").unwrap();
        let token = Token { header, prefix: "Bearer ".to_owned(), secrets: secrets() };
        let judge = |pairs: &[(&str, &str)]| verify_token(&token, &headers(pairs));
        let right = format!("Bearer {NEW}");
        assert!(judge(&[("authorization", &right)]).is_ok());
        assert!(judge(&[("authorization", &format!("Bearer {OLD}"))]).is_ok());
        for bad in
            [NEW, "Bearer ", "", &right[..right.len() - 1], &right.to_lowercase().replace("new", "nev")]
        {
            assert_eq!(judge(&[("authorization", bad)]), Err(NotAuthentic::NotTheSecret), "{bad}");
        }
        for pairs in [&[][..], &[("authorization", right.as_str()), ("authorization", right.as_str())]] {
            assert!(matches!(judge(pairs), Err(NotAuthentic::Header(_))));
        }
    }

    #[test]
    fn basic_wants_the_name_and_one_of_the_passwords() {
        let basic = Basic { username: "servicenow".to_owned(), passwords: secrets() };
        let judge = |scheme: &str, pair: &str| {
            let value = format!("{scheme} {}", STANDARD.encode(pair));
            verify_basic(&basic, &headers(&[("authorization", &value)]))
        };
        for good in ["Basic", "basic"] {
            assert!(judge(good, &format!("servicenow:{NEW}")).is_ok());
            assert!(judge(good, &format!("servicenow:{OLD}")).is_ok());
        }
        for (scheme, pair) in [
            ("Bearer", format!("servicenow:{NEW}")),
            ("Basic", format!("ServiceNow:{NEW}")),
            ("Basic", format!("servicenow{NEW}")),
            ("Basic", format!("servicenow:{NEW} ")),
            ("Basic", "servicenow:".to_owned()),
            ("Basic", String::new()),
        ] {
            assert_eq!(judge(scheme, &pair), Err(NotAuthentic::NotTheSecret), "{scheme} {pair}");
        }
        let bare = verify_basic(&basic, &headers(&[("authorization", "Basic")]));
        assert_eq!(bare, Err(NotAuthentic::NotTheSecret));
    }
}
