//! An HMAC over parts of the message, as the products of HR and ticket systems put them together.
//!
//! Must hold: the whole signature is compared, decoded and of full length; a signed header ends where the settings say
//! it ends; only a signed time or key counts. The time of an attempt is opaque for the signature and read for the
//! window alone: products write it as seconds or as RFC 3339.

use actix_web::http::header::HeaderMap;
use base64::Engine as _;
use base64::alphabet::{STANDARD, URL_SAFE};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256, Sha512};

use super::not_authentic::NotAuthentic;
use crate::config::{Algorithm, Encoding, HeaderText, Part, Recipe, SignedTime};
use crate::domain::canon::Digest;
use crate::domain::time::Timestamp;
use crate::intake::body::only;

const LONGEST_KEY: usize = 256;

/// Senders disagree on whether base64 ends in `=`.
const EITHER_PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, EITHER_PADDING);
const BASE64_URL: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, EITHER_PADDING);

/// Proves that the message was signed with one of the secrets, and answers its delivery key: the signed header where
/// the settings name one, or else the hash of everything that was signed.
pub(super) fn verify(
    recipe: &Recipe,
    headers: &HeaderMap,
    body: &[u8],
    now: Timestamp,
) -> Result<String, NotAuthentic> {
    let offered = the(headers, &recipe.header)?.strip_prefix(recipe.prefix.as_str());
    let offered = offered.and_then(|text| decode(text, recipe.encoding));
    let offered = offered.ok_or(NotAuthentic::NoSignatureFits)?;
    let signed = signed(recipe, headers, body)?;
    if let Some(time) = &recipe.time {
        within_window(time, headers, now)?;
    }
    let fits = |key: &[u8]| match recipe.algorithm {
        Algorithm::Sha256 => fits_sha256(key, &signed, &offered),
        Algorithm::Sha512 => fits_sha512(key, &signed, &offered),
    };
    if !recipe.secrets.iter().any(|secret| fits(secret.expose_secret().as_bytes())) {
        return Err(NotAuthentic::NoSignatureFits);
    }
    match &recipe.delivery_key {
        Some(header) => delivery_key(the(headers, header)?, header),
        None => Ok(Digest(Sha256::digest(&signed).into()).to_string()),
    }
}

fn the<'h>(headers: &'h HeaderMap, name: &HeaderText) -> Result<&'h str, NotAuthentic> {
    only(headers, name.as_str()).ok_or_else(|| NotAuthentic::Header(name.as_str().to_owned()))
}

/// Everything that is signed, in one piece.
fn signed(recipe: &Recipe, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, NotAuthentic> {
    let mut whole = Vec::with_capacity(body.len() + 64);
    for (place, part) in recipe.signed.iter().enumerate() {
        match part {
            Part::Method => whole.extend_from_slice(b"POST"),
            Part::Body => whole.extend_from_slice(body),
            Part::Text(text) => whole.extend_from_slice(text.as_bytes()),
            Part::Header(name) => {
                let value = the(headers, name)?;
                let ends_at = recipe.signed.get(place + 1);
                if matches!(ends_at, Some(Part::Text(text)) if value.contains(text.as_str())) {
                    return Err(NotAuthentic::Boundary(name.as_str().to_owned()));
                }
                whole.extend_from_slice(value.as_bytes());
            }
        }
    }
    Ok(whole)
}

fn within_window(time: &SignedTime, headers: &HeaderMap, now: Timestamp) -> Result<(), NotAuthentic> {
    let text = the(headers, &time.header)?;
    let name = || time.header.as_str().to_owned();
    let signed_at = moment(text).ok_or_else(|| NotAuthentic::Timestamp(name()))?;
    if now.since(signed_at).abs() > time.window {
        return Err(NotAuthentic::OutsideWindow(name()));
    }
    Ok(())
}

/// Whole seconds since 1970, or RFC 3339.
fn moment(text: &str) -> Option<Timestamp> {
    let digits = (1..=11).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { Timestamp::from_unix_seconds(text.parse().ok()?) } else { Timestamp::parse(text) }
}

fn delivery_key(value: &str, header: &HeaderText) -> Result<String, NotAuthentic> {
    let fits = value.bytes().all(|byte| byte.is_ascii_graphic());
    if fits && (1..=LONGEST_KEY).contains(&value.len()) {
        Ok(value.to_owned())
    } else {
        Err(NotAuthentic::Key(header.as_str().to_owned()))
    }
}

fn decode(text: &str, encoding: Encoding) -> Option<Vec<u8>> {
    match encoding {
        Encoding::Hex => hexadecimal(text),
        Encoding::Base64 => BASE64.decode(text).ok(),
        Encoding::Base64Url => BASE64_URL.decode(text).ok(),
    }
}

/// Lower case alone: a second spelling of one signature is of no use to anybody honest.
fn hexadecimal(text: &str) -> Option<Vec<u8>> {
    let digit = |sign: u8| match sign {
        b'0'..=b'9' => Some(sign - b'0'),
        b'a'..=b'f' => Some(sign - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? * 16 + digit(*low)?),
        _ => None,
    });
    pairs.collect()
}

// HMAC takes a key of any length, so that there is always a code to compare with.
fn fits_sha256(key: &[u8], signed: &[u8], offered: &[u8]) -> bool {
    Hmac::<Sha256>::new_from_slice(key)
        .is_ok_and(|mac| mac.chain_update(signed).verify_slice(offered).is_ok())
}

fn fits_sha512(key: &[u8], signed: &[u8], offered: &[u8]) -> bool {
    Hmac::<Sha512>::new_from_slice(key)
        .is_ok_and(|mac| mac.chain_update(signed).verify_slice(offered).is_ok())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};
    use chrono::TimeDelta;
    use secrecy::SecretString;

    use super::*;

    const BODY: &[u8] = br#"{"type":"employee.updated","data":{"employeeId":"4711"}}"#;
    const TIME: &str = "2026-01-31T18:42:00Z";
    const KEY: &str = "invented-key-0123456789";

    fn header(text: &str) -> HeaderText {
        HeaderText::parse(text).unwrap()
    }

    fn plain(encoding: Encoding, signed: Vec<Part>) -> Recipe {
        Recipe {
            header: header("X-Signature"),
            algorithm: Algorithm::Sha256,
            encoding,
            prefix: String::new(),
            signed,
            time: None,
            delivery_key: None,
            secrets: vec![SecretString::from("another-key-of-some-length"), SecretString::from(KEY)],
        }
    }

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    fn judge(recipe: &Recipe, pairs: &[(&str, &str)]) -> Result<String, NotAuthentic> {
        verify(recipe, &headers(pairs), BODY, at(TIME))
    }

    #[test]
    fn one_recipe_covers_the_products() {
        let (body, time) = (Part::Body, Part::Header(header("X-Time")));
        let sha512 = Recipe { algorithm: Algorithm::Sha512, ..plain(Encoding::Base64, vec![Part::Body]) };
        let jira = Recipe { prefix: "sha256=".to_owned(), ..plain(Encoding::Hex, vec![Part::Body]) };
        let known = [
            (
                plain(Encoding::Hex, vec![body.clone(), time.clone()]),
                "99dabd60ad4f52ea0fae33bdd64cc9e1f2b62bfe1838c4512f2994500ffc6411",
            ),
            (jira, "sha256=2de0cfdbb5f0b055adaf39bda991c01d5c9a342a9d2d2d7e24c8b923c72600b1"),
            (
                sha512,
                "LQ7l6K0CVW4E6PgtoxXWJRnmNkxNqFxXrIXXwm2glVC5SxuzzoXfXR4qnxX2oN4PSNPpLg506KvBeOnfJHcP7w==",
            ),
            (
                plain(Encoding::Hex, vec![Part::Method, body.clone()]),
                "b3eabd8e66c124c9928572e5f7084a3027be542c481c7673c0b5a40e2ccef963",
            ),
            (plain(Encoding::Base64Url, vec![body.clone()]), "LeDP27XwsFWtrzm9qZHAHVyaNCqdLS1-JMi5I8cmALE="),
            (plain(Encoding::Base64Url, vec![body.clone()]), "LeDP27XwsFWtrzm9qZHAHVyaNCqdLS1-JMi5I8cmALE"),
            (plain(Encoding::Base64, vec![time, body]), "5miOGRDe6t+R3+VTQ+wGuFNnEOvysCvQSLGjk9kygTo="),
        ];
        for (recipe, signature) in known {
            assert!(judge(&recipe, &[("x-signature", signature), ("x-time", TIME)]).is_ok(), "{signature}");
            let mut wrong = recipe.clone();
            wrong.secrets.truncate(1);
            let refused = judge(&wrong, &[("x-signature", signature), ("x-time", TIME)]);
            assert_eq!(refused, Err(NotAuthentic::NoSignatureFits), "{signature}");
        }
    }

    #[test]
    fn only_the_whole_signature_in_its_own_spelling_fits() {
        let recipe = Recipe { prefix: "sha256=".to_owned(), ..plain(Encoding::Hex, vec![Part::Body]) };
        let code = "2de0cfdbb5f0b055adaf39bda991c01d5c9a342a9d2d2d7e24c8b923c72600b1";
        for bad in [
            code.to_owned(),
            format!("sha1={code}"),
            format!("SHA256={code}"),
            format!("sha256={}", code.to_uppercase()),
            format!("sha256={}", &code[..32]),
            format!("sha256={}", &code[..63]),
            format!("sha256={code}00"),
            "sha256=".to_owned(),
        ] {
            assert_eq!(judge(&recipe, &[("x-signature", &bad)]), Err(NotAuthentic::NoSignatureFits), "{bad}");
        }
        let right = format!("sha256={code}");
        assert!(judge(&recipe, &[("x-signature", &right)]).is_ok());
        for pairs in [&[][..], &[("x-signature", right.as_str()), ("x-signature", right.as_str())]] {
            assert_eq!(judge(&recipe, pairs), Err(NotAuthentic::Header("x-signature".to_owned())));
        }
    }

    /// Signs as a sender would.
    fn sign(recipe: &Recipe, pairs: &[(&str, &str)]) -> String {
        let signed = signed(recipe, &headers(pairs), BODY).unwrap();
        let mac = Hmac::<Sha256>::new_from_slice(KEY.as_bytes()).unwrap().chain_update(signed);
        BASE64.encode(mac.finalize().into_bytes())
    }

    #[test]
    fn a_signed_time_opens_a_window_and_closes_it() {
        let mut recipe = plain(Encoding::Base64, vec![Part::Header(header("X-Time")), Part::Body]);
        recipe.time = Some(SignedTime { header: header("X-Time"), window: TimeDelta::minutes(5) });
        let now = at(TIME).unix_seconds();
        let told = |text: &str| {
            let signature = sign(&recipe, &[("x-time", text)]);
            judge(&recipe, &[("x-signature", &signature), ("x-time", text)])
        };
        for good in [now.to_string(), (now - 300).to_string(), (now + 300).to_string(), TIME.to_owned()] {
            assert!(told(&good).is_ok(), "{good}");
        }
        for outside in [now - 301, now + 301] {
            let refused = told(&outside.to_string());
            assert_eq!(refused, Err(NotAuthentic::OutsideWindow("x-time".to_owned())));
        }
        for bad in ["soon", "-5", "1e9", ""] {
            assert_eq!(told(bad), Err(NotAuthentic::Timestamp("x-time".to_owned())), "{bad}");
        }
    }

    #[test]
    fn a_delivery_key_is_signed_or_made_from_what_is_signed() {
        let mut recipe = plain(
            Encoding::Base64,
            vec![Part::Header(header("X-Id")), Part::Text(".".to_owned()), Part::Body],
        );
        recipe.delivery_key = Some(header("X-Id"));
        let signature = sign(&recipe, &[("x-id", "event-1")]);
        let named = judge(&recipe, &[("x-signature", &signature), ("x-id", "event-1")]);
        assert_eq!(named.as_deref(), Ok("event-1"));
        let renamed = judge(&recipe, &[("x-signature", &signature), ("x-id", "event-2")]);
        assert_eq!(renamed, Err(NotAuthentic::NoSignatureFits));
        // What should end the header may not stand in it, or it would end in two places.
        let shifted = judge(&recipe, &[("x-signature", &signature), ("x-id", "event.1")]);
        assert_eq!(shifted, Err(NotAuthentic::Boundary("x-id".to_owned())));
        let recipe = plain(Encoding::Hex, vec![Part::Body]);
        let code = "2de0cfdbb5f0b055adaf39bda991c01d5c9a342a9d2d2d7e24c8b923c72600b1";
        let first = judge(&recipe, &[("x-signature", code), ("x-id", "1")]).unwrap();
        let again = judge(&recipe, &[("x-signature", code), ("x-id", "2")]).unwrap();
        assert_eq!((&first, first.len()), (&again, 64));
    }
}
