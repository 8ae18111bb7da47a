//! Canonical bytes: the one spelling of a value that is hashed, stored and read back.
//!
//! Must hold: RFC 8785 restricted to strings, booleans, integers below 2^53, lists and maps with ASCII keys; a
//! first line names kind and version. What was hashed is what is read: stored bytes are parsed, never written anew.
//! Deliberately absent: null and fractions, which two writers could spell differently.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The closed type of everything that can be hashed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canon {
    /// A truth value.
    Bool(bool),
    /// An integer of magnitude below 2^53.
    Int(i64),
    /// Any Unicode text.
    Text(String),
    /// Values in order.
    List(Vec<Canon>),
    /// Values by ASCII key; sorted, as RFC 8785 section 3.2.3 asks.
    Map(BTreeMap<String, Canon>),
}

/// Kind and version of canonical bytes; becomes their first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tag {
    /// A request in canonical form.
    Request,
    /// A sealed plan.
    Plan,
    /// What was read in a target.
    Snapshot,
    /// Who is asked, in which order.
    Routing,
    /// What an attempt brought.
    Report,
    /// An audit event.
    Event,
}

impl Tag {
    /// The first line, without its line feed.
    pub const fn line(self) -> &'static str {
        match self {
            Self::Request => "countersign/request/1",
            Self::Plan => "countersign/plan/1",
            Self::Snapshot => "countersign/snapshot/1",
            Self::Routing => "countersign/routing/1",
            Self::Report => "countersign/report/1",
            Self::Event => "countersign/event/1",
        }
    }
}

/// A value that has no canonical form. Only a mistake in our own types can bring this about.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0} has no canonical form")]
pub struct NotCanonical(&'static str);

/// Bytes that are not what their reader expects: damage, or another version.
#[derive(Debug, thiserror::Error)]
#[error("stored bytes are not a whole {tag}")]
pub struct Corrupt {
    /// What was expected.
    pub tag: &'static str,
    /// What the parser met.
    #[source]
    pub source: Option<serde_json::Error>,
}

/// Bytes that were written by [`Canon::encode`], or read from where those were kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanonicalBytes(Vec<u8>);

impl Canon {
    /// Brings any serialisable value into the closed type.
    pub fn of(value: &impl Serialize) -> Result<Self, NotCanonical> {
        let value = serde_json::to_value(value).map_err(|_| NotCanonical("a value that JSON cannot say"))?;
        Self::from_json(value)
    }

    fn from_json(value: Value) -> Result<Self, NotCanonical> {
        match value {
            Value::Null => Err(NotCanonical("null")),
            Value::Bool(truth) => Ok(Self::Bool(truth)),
            Value::Number(number) => number
                .as_i64()
                .filter(|whole| whole.unsigned_abs() < 1 << 53)
                .map(Self::Int)
                .ok_or(NotCanonical("a number that is no integer below 2^53")),
            Value::String(text) => Ok(Self::Text(text)),
            Value::Array(items) => {
                items.into_iter().map(Self::from_json).collect::<Result<_, _>>().map(Self::List)
            }
            Value::Object(entries) => entries
                .into_iter()
                .map(|(key, value)| {
                    if key.is_ascii() {
                        Ok((key, Self::from_json(value)?))
                    } else {
                        Err(NotCanonical("a key"))
                    }
                })
                .collect::<Result<_, _>>()
                .map(Self::Map),
        }
    }

    /// The canonical bytes, opening with the line of `tag`.
    pub fn encode(&self, tag: Tag) -> CanonicalBytes {
        let mut out = String::from(tag.line());
        out.push('\n');
        self.write(&mut out);
        CanonicalBytes(out.into_bytes())
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Int(number) => {
                // Writing to a String cannot fail.
                let _ = write!(out, "{number}");
            }
            Self::Text(text) => write_text(text, out),
            Self::List(items) => {
                out.push('[');
                for (place, item) in items.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (place, (key, value)) in entries.iter().enumerate() {
                    if place > 0 {
                        out.push(',');
                    }
                    write_text(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

/// Escapes as ECMAScript's `JSON.stringify` does (RFC 8785, section 3.2.2.2).
fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for sign in text.chars() {
        match sign {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(out, "\\u{:04x}", u32::from(control));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
}

impl CanonicalBytes {
    /// The canonical bytes of a serialisable value.
    pub fn of(tag: Tag, value: &impl Serialize) -> Result<Self, NotCanonical> {
        Ok(Canon::of(value)?.encode(tag))
    }

    /// Bytes as they came out of the store.
    pub fn stored(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes themselves.
    pub fn as_slice(&self) -> &[u8] {
        &self.0
    }

    /// Reads the value back.
    pub fn open<T: DeserializeOwned>(&self, tag: Tag) -> Result<T, Corrupt> {
        let line = tag.line().as_bytes();
        let body = self.0.strip_prefix(line).and_then(|rest| rest.strip_prefix(b"\n"));
        let Some(body) = body else { return Err(Corrupt { tag: tag.line(), source: None }) };
        serde_json::from_slice(body).map_err(|source| Corrupt { tag: tag.line(), source: Some(source) })
    }

    /// SHA-256 over all of it, first line included.
    pub fn digest(&self) -> Digest {
        Digest(Sha256::digest(&self.0).into())
    }
}

/// A SHA-256 value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The hash of bytes that are not canonical, such as a delivery's body.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0_u8; 32];
        for (place, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * place..2 * place + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// From a database column.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The first eight hexadecimal digits, for people.
    pub fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl std::fmt::Display for Digest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(out, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, out)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, out: S) -> Result<S::Ok, S::Error> {
        out.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let text = String::deserialize(input)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("64 hexadecimal digits are wanted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_sorted_and_texts_escaped_in_one_way() {
        let value = serde_json::json!({"b": [1, true], "a": "é\u{1f}\"\\\n/\u{7f}"});
        let bytes = CanonicalBytes::of(Tag::Report, &value).unwrap();
        let wanted = "countersign/report/1\n{\"a\":\"é\\u001f\\\"\\\\\\n/\u{7f}\",\"b\":[1,true]}";
        assert_eq!(String::from_utf8_lossy(bytes.as_slice()), wanted);
        assert_eq!(bytes.open::<Value>(Tag::Report).unwrap(), value);
    }

    #[test]
    fn null_fractions_and_large_numbers_are_refused() {
        for bad in [serde_json::json!(null), serde_json::json!(1.5), serde_json::json!(1_u64 << 53)] {
            assert!(Canon::of(&bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn bytes_of_another_kind_do_not_open() {
        let bytes = CanonicalBytes::of(Tag::Report, &serde_json::json!({})).unwrap();
        assert!(bytes.open::<Value>(Tag::Plan).is_err());
    }

    #[test]
    fn a_digest_is_read_as_it_is_written() {
        let digest = Digest::of_bytes(b"abc");
        assert_eq!(Digest::parse(&digest.to_string()), Some(digest));
        assert_eq!(Digest::parse("zz"), None);
    }
}
