//! What an answer of the vault means.
//!
//! Must hold: the error code is judged before the status, because refusals come as 500 and success may carry an
//! error. A write without a clear answer is `Unclear`, never a failure that may be repeated. Words are short, clean
//! and hold nothing of a body but the vault's own message.
//! Deliberately absent: sending, and what a step makes of a verdict.

use serde_json::Value;

use crate::domain::plan::Effect;

/// An answer with its body taken apart.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Body,
    /// What `Retry-After` asked for, in seconds.
    pub(super) retry_after: Option<u32>,
}

/// What came as the body.
#[derive(Debug, PartialEq)]
pub(super) enum Body {
    Nothing,
    Json(Value),
    Html,
    Text,
    TooLarge,
}

impl Body {
    /// Judges by the bytes; gateways often name the wrong content type.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes).trim_ascii();
        if bytes.is_empty() {
            Self::Nothing
        } else if bytes.starts_with(b"<") {
            Self::Html
        } else {
            serde_json::from_slice(bytes).map_or(Self::Text, Self::Json)
        }
    }

    /// Blots a secret out of every text, so that a vault that repeats it cannot spread it.
    pub(super) fn blot(&mut self, secret: &str) {
        match self {
            Self::Json(value) if !secret.is_empty() => blot(value, secret),
            Self::Nothing | Self::Json(_) | Self::Html | Self::Text | Self::TooLarge => {}
        }
    }
}

fn blot(value: &mut Value, secret: &str) {
    match value {
        Value::String(text) => *text = text.replace(secret, "(secret)"),
        Value::Array(list) => list.iter_mut().for_each(|item| blot(item, secret)),
        Value::Object(map) => map.values_mut().for_each(|item| blot(item, secret)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Who seems to have written an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Speaker {
    /// It has the shape of the vault's own errors.
    Vault,
    /// A page, a plain text or nothing: perhaps a gateway in between.
    Somebody,
}

/// An error as it is told on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) status: u16,
    pub(super) code: Option<String>,
    pub(super) speaker: Speaker,
    /// A sentence without a full stop.
    pub(super) words: String,
}

/// What follows from an answer.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// It worked; the body, or null where a write came back without one.
    Success(Value),
    /// The token is not accepted; the operation did not run.
    RenewToken(Said),
    /// The wanted state was there before.
    AlreadySo(Said),
    /// Certainly without effect, and worth another try.
    Passing { said: Said, after_seconds: Option<u32> },
    /// Certainly without effect, and for good.
    Refused(Said),
    /// A write of which nobody knows what came.
    Unclear(Said),
}

/// The vault's own codes for a token or session that is missing or over.
const TOKEN_OVER: [&str; 3] = ["PASWS006E", "CASSM005E", "CASTM006E"];
/// A member that is added twice.
const MEMBER_ALREADY: [&str; 2] = ["PASWS213E", "ITATS262E"];
/// Passing trouble inside the vault, by the vendor's own client.
const PASSING: [&str; 2] = ["ITADM111E", "SRAPIE0006"];

/// Judges an answer: code first, then status.
pub(super) fn classify(answer: Answer, effect: Effect) -> Verdict {
    let found = Found::of(&answer.body);
    let fine_status = (200..300).contains(&answer.status);
    let said = Said::of(&answer, &found);
    let troubled = |said| match effect {
        Effect::Reads => Verdict::Passing { said, after_seconds: answer.retry_after },
        Effect::Writes => Verdict::Unclear(said),
    };
    if answer.status == 429 {
        return Verdict::Passing { said, after_seconds: answer.retry_after };
    }
    if let Some(code) = found.code.as_deref() {
        let is = |list: &[&str]| list.iter().any(|known| known.eq_ignore_ascii_case(code));
        if is(&TOKEN_OVER) {
            // Only a refusal at the door is certain to have run nothing, so that a write may be sent again.
            return if answer.status < 500 { Verdict::RenewToken(said) } else { troubled(said) };
        } else if is(&MEMBER_ALREADY) {
            return Verdict::AlreadySo(said);
        } else if is(&PASSING) {
            return troubled(said);
        } else if code.to_ascii_uppercase().starts_with("ITATS") {
            return Verdict::Refused(said);
        }
    }
    if fine_status && !found.is_error() {
        return match (answer.body, effect) {
            (Body::Json(value), Effect::Reads | Effect::Writes) => Verdict::Success(value),
            (Body::Nothing, Effect::Writes) => Verdict::Success(Value::Null),
            // Reading again would bring the same heap of bytes.
            (Body::TooLarge, Effect::Reads) => Verdict::Refused(said),
            (Body::Nothing | Body::Html | Body::Text | Body::TooLarge, Effect::Reads | Effect::Writes) => {
                troubled(said)
            }
        };
    }
    match (answer.status, effect) {
        (401, Effect::Reads | Effect::Writes) => Verdict::RenewToken(said),
        (408 | 425, Effect::Reads | Effect::Writes) => troubled(said),
        (400..=499 | 501 | 505, Effect::Reads | Effect::Writes) | (300..=399, Effect::Reads) => {
            Verdict::Refused(said)
        }
        (_, Effect::Reads | Effect::Writes) => troubled(said),
    }
}

/// Code and message, wherever they stand.
struct Found {
    code: Option<String>,
    message: Option<String>,
}

impl Found {
    fn of(body: &Body) -> Self {
        let Body::Json(Value::Object(body)) = body else { return Self { code: None, message: None } };
        let text = |holder: &serde_json::Map<String, Value>, name: &str| {
            let named = holder.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
            named.and_then(|(_, value)| value.as_str()).filter(|text| !text.is_empty()).map(clean)
        };
        let mut found = Self {
            code: text(body, "ErrorCode").or_else(|| text(body, "error")),
            message: text(body, "ErrorMessage").or_else(|| text(body, "error_description")),
        };
        // A record may well have a field called "code"; only together with a message is it an error.
        if found.code.is_none() && found.message.is_none() && !body.contains_key("id") {
            let pair = text(body, "code").zip(text(body, "message"));
            (found.code, found.message) = pair.unzip();
        }
        let details =
            body.iter().find(|(key, _)| key.eq_ignore_ascii_case("Details")).map(|(_, value)| value);
        let first = match details {
            Some(Value::Array(list)) => list.first().and_then(Value::as_object),
            Some(Value::Object(one)) => Some(one),
            Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => None,
        };
        if let (Some(first), true) = (first, found.is_error()) {
            found.code = found.code.or_else(|| text(first, "ErrorCode"));
            let detail = text(first, "ErrorMessage");
            found.message = match (found.message, detail) {
                (Some(whole), Some(detail)) if !whole.contains(&detail) => {
                    Some(format!("{whole} ({detail})"))
                }
                (whole, detail) => whole.or(detail),
            };
        }
        found
    }

    fn is_error(&self) -> bool {
        self.code.is_some() || self.message.is_some()
    }
}

impl Said {
    fn of(answer: &Answer, found: &Found) -> Self {
        let status = answer.status;
        let what = match (&found.code, &found.message, &answer.body) {
            (Some(code), Some(message), _) => format!(" {code}: {message}"),
            (Some(code), None, _) => format!(" {code}"),
            (None, Some(message), _) => format!(": {message}"),
            (None, None, Body::Html) => " and a web page".to_owned(),
            (None, None, Body::TooLarge) => " and more than can be read".to_owned(),
            (None, None, Body::Nothing) => " and nothing else".to_owned(),
            (None, None, Body::Json(_) | Body::Text) if (300..400).contains(&status) => {
                " and points elsewhere".to_owned()
            }
            (None, None, Body::Json(_) | Body::Text) => " without a reason".to_owned(),
        };
        let speaker = if found.is_error() { Speaker::Vault } else { Speaker::Somebody };
        let words = format!("the vault answered {status}{what}");
        Self { status, code: found.code.clone(), speaker, words: words.trim_end_matches('.').to_owned() }
    }
}

/// A message from outside, made fit to be shown: one line, no control characters, not long.
pub(super) fn clean(text: &str) -> String {
    let plain: String = text.chars().map(|sign| if sign.is_control() { ' ' } else { sign }).collect();
    let joined = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    joined.chars().filter(|sign| !crate::domain::names::is_invisible(*sign)).take(300).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn verdict(status: u16, body: &str, effect: Effect) -> &'static str {
        let answer = Answer { status, body: Body::of(body.as_bytes()), retry_after: None };
        match classify(answer, effect) {
            Verdict::Success(_) => "success",
            Verdict::RenewToken(_) => "renew",
            Verdict::AlreadySo(_) => "already",
            Verdict::Passing { .. } => "passing",
            Verdict::Refused(_) => "refused",
            Verdict::Unclear(_) => "unclear",
        }
    }

    #[test]
    fn the_code_is_judged_before_the_status() {
        let coded = |code: &str| json!({ "ErrorCode": code, "ErrorMessage": "m" }).to_string();
        let table = [
            // status, body, read, write
            (200, "{}".to_owned(), "success", "success"),
            (201, String::new(), "passing", "success"),
            (200, "<html>down</html>".to_owned(), "passing", "unclear"),
            (200, "no json".to_owned(), "passing", "unclear"),
            (200, coded("ITATS004E"), "refused", "refused"),
            (200, coded("CAWS00001E"), "passing", "unclear"),
            (401, coded("PASWS006E"), "renew", "renew"),
            (401, String::new(), "renew", "renew"),
            (403, coded("castm006e"), "renew", "renew"),
            (500, coded("CASSM005E"), "passing", "unclear"),
            (409, coded("PASWS213E"), "already", "already"),
            (500, coded("ITATS262E"), "already", "already"),
            (500, coded("ITATS692E"), "refused", "refused"),
            (500, coded("ITADM111E"), "passing", "unclear"),
            (400, coded("SRAPIE0006"), "passing", "unclear"),
            (500, coded("CAWS00001E"), "passing", "unclear"),
            (500, String::new(), "passing", "unclear"),
            (503, "<html>".to_owned(), "passing", "unclear"),
            (429, "<html>".to_owned(), "passing", "passing"),
            (403, coded("PASWS041E"), "refused", "refused"),
            (404, "<html>".to_owned(), "refused", "refused"),
            (409, coded("X"), "refused", "refused"),
            (302, "<html>".to_owned(), "refused", "unclear"),
            (501, String::new(), "refused", "refused"),
        ];
        for (status, body, read, write) in table {
            assert_eq!(verdict(status, &body, Effect::Reads), read, "read {status} {body}");
            assert_eq!(verdict(status, &body, Effect::Writes), write, "write {status} {body}");
        }
    }

    #[test]
    fn a_message_is_found_in_every_shape_and_is_made_one_line() {
        let words = |body: Value| {
            let answer = Answer { status: 400, body: Body::Json(body), retry_after: None };
            let Verdict::Refused(said) = classify(answer, Effect::Writes) else { panic!("not refused") };
            assert_eq!(said.speaker, Speaker::Vault);
            said.words
        };
        let details = json!({"ErrorCode": "A", "ErrorMessage": "bad\r\n body.", "Details": [{"ErrorMessage": "no name"}]});
        assert_eq!(words(details), "the vault answered 400 A: bad body. (no name)");
        let oauth = json!({"error": "access_denied", "error_description": "invalid client"});
        assert_eq!(words(oauth), "the vault answered 400 access_denied: invalid client");
        assert_eq!(words(json!({"code": "C1", "message": "m"})), "the vault answered 400 C1: m");
        let long = words(json!({"ErrorMessage": "x".repeat(5000)}));
        assert!(long.len() < 400);
    }

    #[test]
    fn a_record_with_a_code_of_its_own_is_no_error() {
        assert_eq!(verdict(200, r#"{"id":1,"code":"x","message":"y"}"#, Effect::Reads), "success");
        assert_eq!(verdict(200, r#"{"Users":[],"Total":0}"#, Effect::Reads), "success");
    }
}
