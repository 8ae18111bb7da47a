//! Standard Webhooks, symmetric (`v1`: HMAC-SHA256 over id, time and raw body).
//!
//! Must hold: a signature holds for five minutes around its time; the id is covered by the signature, so it may be a
//! key.

use actix_web::http::header::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretSlice};
use sha2::Sha256;

use super::not_authentic::NotAuthentic;
use crate::domain::time::Timestamp;
use crate::intake::body::only;

/// A signature is taken so many seconds before and after its time.
const WINDOW_SECONDS: i64 = 300;
/// So many signatures are looked at: a sender that changes keys sends two.
const MOST_SIGNATURES: usize = 16;
const LONGEST_ID: usize = 256;

const ID: &str = "webhook-id";
const TIMESTAMP: &str = "webhook-timestamp";
const SIGNATURE: &str = "webhook-signature";

/// Proves that the body and its id were signed with one of the secrets, and answers the id.
pub(super) fn verify(
    headers: &HeaderMap,
    body: &[u8],
    secrets: &[SecretSlice<u8>],
    now: Timestamp,
) -> Result<String, NotAuthentic> {
    let the = |name: &str| only(headers, name).ok_or_else(|| NotAuthentic::Header(name.to_owned()));
    let (id, timestamp, signatures) = (the(ID)?, the(TIMESTAMP)?, the(SIGNATURE)?);
    let id_fits = |byte: u8| byte.is_ascii_graphic() && byte != b'.';
    if !(1..=LONGEST_ID).contains(&id.len()) || !id.bytes().all(id_fits) {
        return Err(NotAuthentic::Id(ID));
    }
    let signed_at = seconds(timestamp).ok_or_else(|| NotAuthentic::Timestamp(TIMESTAMP.to_owned()))?;
    if (now.unix_seconds() - signed_at).abs() > WINDOW_SECONDS {
        return Err(NotAuthentic::OutsideWindow(TIMESTAMP.to_owned()));
    }
    let offered: Vec<Vec<u8>> = signatures
        .split(' ')
        .take(MOST_SIGNATURES)
        .filter_map(|signature| STANDARD.decode(signature.strip_prefix("v1,")?).ok())
        .collect();
    let signed = |secret: &SecretSlice<u8>| {
        // HMAC takes a key of any length, so there is always a code to compare with.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.expose_secret()) else { return false };
        mac.update(format!("{id}.{timestamp}.").as_bytes());
        mac.update(body);
        offered.iter().any(|code| mac.clone().verify_slice(code).is_ok())
    };
    if secrets.iter().any(signed) { Ok(id.to_owned()) } else { Err(NotAuthentic::NoSignatureFits) }
}

/// Digits alone: a sign or a space would be a second spelling.
fn seconds(text: &str) -> Option<i64> {
    let digits = (1..=11).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    const BODY: &[u8] = br#"{"email":"test@example.com","username":"test_user"}"#;
    const RIGHT: &str = "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=";
    const MOMENT: i64 = 1_649_367_553;

    fn secret(text: &str) -> SecretSlice<u8> {
        SecretSlice::from(STANDARD.decode(text).unwrap())
    }

    fn published() -> SecretSlice<u8> {
        secret("C2FVsBQIhrscChlQIMV+b5sSYspob7oD")
    }

    fn headers(id: &str, timestamp: &str, signature: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in [(ID, id), (TIMESTAMP, timestamp), (SIGNATURE, signature)] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn usual(signature: &str) -> HeaderMap {
        headers("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367553", signature)
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(seconds).unwrap()
    }

    fn judge(headers: &HeaderMap) -> Result<String, NotAuthentic> {
        verify(headers, BODY, &[published()], at(MOMENT))
    }

    #[test]
    fn the_published_example_is_authentic_and_every_change_to_it_is_not() {
        assert_eq!(judge(&usual(RIGHT)).unwrap(), "msg_27UH4WbU6Z5A5EzD8u03UvzRbpk");
        let wrong = Err(NotAuthentic::NoSignatureFits);
        assert_eq!(verify(&usual(RIGHT), b"{}", &[published()], at(MOMENT)), wrong);
        assert_eq!(judge(&headers("msg_other", "1649367553", RIGHT)), wrong);
        assert_eq!(judge(&headers("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", "1649367554", RIGHT)), wrong);
        let none: [SecretSlice<u8>; 0] = [];
        assert_eq!(verify(&usual(RIGHT), BODY, &none, at(MOMENT)), wrong);
    }

    #[test]
    fn one_fitting_pair_of_signature_and_secret_is_enough() {
        let other = || secret("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        for secrets in [[published(), other()], [other(), published()]] {
            assert!(verify(&usual(RIGHT), BODY, &secrets, at(MOMENT)).is_ok());
        }
        assert!(verify(&usual(RIGHT), BODY, &[other()], at(MOMENT)).is_err());
        for list in [format!("v1,AAAA {RIGHT}"), format!("v1a,{} {RIGHT} v2,x", &RIGHT[3..])] {
            assert!(judge(&usual(&list)).is_ok(), "{list}");
        }
    }

    #[test]
    fn what_is_not_a_version_1_signature_is_passed_over() {
        let code = &RIGHT[3..];
        let bare = code.trim_end_matches('=').to_owned();
        let late = format!("{}{RIGHT}", "v1,AAAA ".repeat(MOST_SIGNATURES));
        for list in [
            code.to_owned(),
            format!("v1a,{code}"),
            format!("v2,{code}"),
            format!("V1,{code}"),
            format!("v1={code}"),
            format!("v1,{bare}"),
            format!("v1,{}", &code[..24]),
            "v1,".to_owned(),
            "v1,AAAA".to_owned(),
            " ".to_owned(),
            late,
        ] {
            assert_eq!(judge(&usual(&list)), Err(NotAuthentic::NoSignatureFits), "{list}");
        }
    }

    #[test]
    fn a_signature_holds_for_five_minutes_both_ways() {
        let judge_at = |now| verify(&usual(RIGHT), BODY, &[published()], at(now));
        assert!(judge_at(MOMENT + 300).is_ok() && judge_at(MOMENT - 300).is_ok());
        assert_eq!(judge_at(MOMENT + 301), Err(NotAuthentic::OutsideWindow(TIMESTAMP.to_owned())));
        assert_eq!(judge_at(MOMENT - 301), Err(NotAuthentic::OutsideWindow(TIMESTAMP.to_owned())));
        for bad in ["+1649367553", "1649367553.0", " ", "1e9", "-1", "164936755300"] {
            assert_eq!(
                judge(&headers("a", bad, RIGHT)),
                Err(NotAuthentic::Timestamp(TIMESTAMP.to_owned())),
                "{bad}"
            );
        }
    }

    #[test]
    fn each_header_is_there_exactly_once() {
        for name in [ID, TIMESTAMP, SIGNATURE] {
            let mut twice = usual(RIGHT);
            let value = twice.get(name).unwrap().clone();
            twice.append(HeaderName::from_static(name), value);
            assert!(matches!(judge(&twice), Err(NotAuthentic::Header(_))), "{name}");
            let mut gone = usual(RIGHT);
            gone.remove(name);
            assert!(matches!(judge(&gone), Err(NotAuthentic::Header(_))), "{name}");
        }
        for bad in ["msg.1", "a b", "", &"a".repeat(257)] {
            assert_eq!(judge(&headers(bad, "1649367553", RIGHT)), Err(NotAuthentic::Id(ID)), "{bad}");
        }
    }
}
