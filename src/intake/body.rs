//! Reading a message off the wire, under limits.
//!
//! Must hold: what says that it is too large is not read, and what turns out too large is not read on; a sender who
//! dawdles is let go; only plain JSON is read. A message with both `Content-Length` and `Transfer-Encoding` never
//! gets here: the server's own parser refuses it.

use std::time::Duration;

use actix_web::error::PayloadError;
use actix_web::http::StatusCode;
use actix_web::http::header::{AsHeaderName, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap};
use futures_util::{Stream, StreamExt as _};

use crate::web::problem::Problem;

/// How much is read, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest body, in bytes.
    pub most_bytes: usize,
    /// The whole body is there by then.
    pub within: Duration,
}

/// The limits of intake.
pub const LIMITS: Limits = Limits { most_bytes: 256 * 1024, within: Duration::from_secs(20) };

/// Reads the body of a request with these headers.
pub async fn read<S, B>(headers: &HeaderMap, payload: S, limits: Limits) -> Result<Vec<u8>, Problem>
where
    S: Stream<Item = Result<B, PayloadError>>,
    B: AsRef<[u8]>,
{
    let told = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if told.is_some_and(|length| length > limits.most_bytes) {
        return Err(too_large(limits));
    }
    check_form(headers)?;
    match tokio::time::timeout(limits.within, gather(payload, limits)).await {
        Ok(read) => read,
        Err(_elapsed) => {
            let detail = "the body did not arrive in time";
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "too_slow", detail))
        }
    }
}

async fn gather<S, B>(payload: S, limits: Limits) -> Result<Vec<u8>, Problem>
where
    S: Stream<Item = Result<B, PayloadError>>,
    B: AsRef<[u8]>,
{
    let mut payload = std::pin::pin!(payload);
    let mut body = Vec::new();
    while let Some(piece) = payload.next().await {
        let Ok(piece) = piece else {
            return Err(Problem::new(StatusCode::BAD_REQUEST, "incomplete", "the body broke off"));
        };
        if body.len() + piece.as_ref().len() > limits.most_bytes {
            return Err(too_large(limits));
        }
        body.extend_from_slice(piece.as_ref());
    }
    Ok(body)
}

fn too_large(limits: Limits) -> Problem {
    let detail = format!("a body has at most {} bytes", limits.most_bytes);
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
}

fn check_form(headers: &HeaderMap) -> Result<(), Problem> {
    let unsupported = |code, detail| Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, code, detail));
    let plain = |value: &str| value.trim().eq_ignore_ascii_case("identity");
    if headers.contains_key(CONTENT_ENCODING) && !only(headers, &CONTENT_ENCODING).is_some_and(plain) {
        return unsupported("content_encoding", "the body is sent as it is, without Content-Encoding");
    }
    if !only(headers, &CONTENT_TYPE).is_some_and(is_json) {
        return unsupported("content_type", "the body is application/json, in UTF-8");
    }
    Ok(())
}

/// The value of a header that stands there exactly once.
pub fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut all = headers.get_all(name);
    match (all.next(), all.next()) {
        (Some(only), None) => only.to_str().ok(),
        (None | Some(_), _) => None,
    }
}

/// `application/json`, alone or with `charset=utf-8` (RFC 9110, section 8.3.1).
fn is_json(value: &str) -> bool {
    let mut parts = value.split(';').map(str::trim);
    let json = parts.next().is_some_and(|media| media.eq_ignore_ascii_case("application/json"));
    json && parts.all(|parameter| {
        parameter.split_once('=').is_some_and(|(name, charset)| {
            name.eq_ignore_ascii_case("charset") && charset.trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    })
}

#[cfg(test)]
mod tests {
    use actix_web::ResponseError as _;
    use actix_web::http::header::HeaderValue;
    use futures_util::stream;

    use super::*;

    fn headers(content_type: &str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_str(content_type).unwrap());
        headers
    }

    async fn read_pieces(pieces: &[&'static str], most_bytes: usize) -> Result<Vec<u8>, u16> {
        let pieces: Vec<Result<&[u8], PayloadError>> =
            pieces.iter().map(|piece| Ok(piece.as_bytes())).collect();
        let limits = Limits { most_bytes, ..LIMITS };
        let read = read(&headers("application/json"), stream::iter(pieces), limits).await;
        read.map_err(|problem| problem.status_code().as_u16())
    }

    #[tokio::test]
    async fn bytes_are_counted_while_they_come() {
        assert_eq!(read_pieces(&["ab", "cd"], 4).await, Ok(b"abcd".to_vec()));
        assert_eq!(read_pieces(&["ab", "cde"], 4).await, Err(413));
    }

    #[tokio::test]
    async fn a_sender_who_dawdles_is_let_go() {
        let limits = Limits { within: Duration::from_millis(10), ..LIMITS };
        let never = stream::pending::<Result<&[u8], PayloadError>>();
        let problem = read(&headers("application/json"), never, limits).await.unwrap_err();
        assert_eq!(problem.status_code().as_u16(), 408);
    }

    #[test]
    fn only_plain_json_is_read() {
        for good in
            ["application/json", "Application/JSON; charset=UTF-8", "application/json;charset=\"utf-8\""]
        {
            assert!(check_form(&headers(good)).is_ok(), "{good}");
        }
        for bad in [
            "text/json",
            "application/json; charset=utf-16",
            "application/json; v=1",
            "application/jsonp",
            "",
        ] {
            assert!(check_form(&headers(bad)).is_err(), "{bad}");
        }
        let mut twice = headers("application/json");
        twice.append(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        assert!(check_form(&twice).is_err());
        assert!(check_form(&HeaderMap::new()).is_err());
        for (encoding, good) in [("identity", true), ("gzip", false), ("", false)] {
            let mut encoded = headers("application/json");
            encoded.insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
            assert_eq!(check_form(&encoded).is_ok(), good, "{encoding}");
        }
    }
}
