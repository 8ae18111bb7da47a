//! Foreign bytes read as JSON, under limits and without guessing.
//!
//! Must hold: what two readers could understand differently is refused (duplicate keys, lone surrogates, NUL, a
//! byte order mark, integers that a float would round); no input can exhaust the stack, because the depth is
//! counted before each descent. A refusal names the place and the rule, never the value.
//! Deliberately absent: what the fields mean (see `request`) and the size of the body (the web layer counts it).

use std::collections::HashSet;

/// Deepest nesting of lists and objects.
pub const MOST_DEPTH: usize = 32;
/// Most elements of one list.
pub const MOST_ELEMENTS: usize = 1_000;
/// Most keys of one object.
pub const MOST_KEYS: usize = 500;
/// Longest text, in bytes of UTF-8 after unescaping.
pub const LONGEST_TEXT: usize = 8 * 1024;
/// Longest key, in bytes of UTF-8 after unescaping.
pub const LONGEST_KEY: usize = 256;
/// Integers lie strictly between this and its negative, so that every reader keeps them whole.
pub const INTEGER_BOUND: i64 = 1 << 53;

/// A JSON document; objects keep the order of the source and have no key twice.
#[derive(Debug, Clone, PartialEq)]
pub enum Json {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// A number written without fraction and exponent.
    Int(i64),
    /// A number written with fraction or exponent; always finite.
    Float(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

impl Json {
    /// What was found, in a word for a message: never the value.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Int(_) => "an integer",
            Self::Float(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "a list",
            Self::Object(_) => "an object",
        }
    }

    /// The value under `key`, where this is an object that has it.
    pub fn get(&self, key: &str) -> Option<&Self> {
        let Self::Object(fields) = self else { return None };
        fields.iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// Our own stored values, already parsed by `serde_json`. Foreign bytes go through [`parse`].
    pub fn from_value(value: serde_json::Value) -> Self {
        match value {
            serde_json::Value::Null => Self::Null,
            serde_json::Value::Bool(said) => Self::Bool(said),
            serde_json::Value::Number(number) => match number.as_i64() {
                Some(whole) => Self::Int(whole),
                None => Self::Float(number.as_f64().unwrap_or(f64::MAX)),
            },
            serde_json::Value::String(text) => Self::Text(text),
            serde_json::Value::Array(elements) => {
                Self::List(elements.into_iter().map(Self::from_value).collect())
            }
            serde_json::Value::Object(fields) => {
                Self::Object(fields.into_iter().map(|(key, value)| (key, Self::from_value(value))).collect())
            }
        }
    }
}

/// Why the bytes were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at {pointer:?}: {wanted}")]
pub struct BadJson {
    /// The place (RFC 6901); empty for the whole document.
    pub pointer: String,
    /// A short stable word for programs, such as `duplicate_key`.
    pub code: &'static str,
    /// The rule in words.
    pub wanted: String,
}

/// One step of a JSON pointer: `/` and the key, escaped as RFC 6901 asks.
pub fn pointer_step(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Reads exactly one document.
pub fn parse(bytes: &[u8]) -> Result<Json, BadJson> {
    if bytes.starts_with(b"\xEF\xBB\xBF") {
        return Err(bad("byte_order_mark", "UTF-8 without a byte order mark"));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| bad("not_utf8", "valid UTF-8"))?;
    let mut reader = Reader { text, at: 0 };
    let document = reader.value(0)?;
    reader.skip_space();
    if reader.at == text.len() {
        Ok(document)
    } else {
        Err(bad("trailing_data", "nothing after the end of the document"))
    }
}

fn bad(code: &'static str, wanted: &str) -> BadJson {
    BadJson { pointer: String::new(), code, wanted: wanted.to_owned() }
}

fn syntax(wanted: &str) -> BadJson {
    bad("bad_json", wanted)
}

/// Faults are raised without a place; each level on the way out puts its own step in front.
fn under(step: &str) -> impl FnOnce(BadJson) -> BadJson + '_ {
    move |fault| BadJson { pointer: format!("{}{}", pointer_step(step), fault.pointer), ..fault }
}

struct Reader<'text> {
    text: &'text str,
    at: usize,
}

impl<'text> Reader<'text> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn rest(&self) -> &'text str {
        self.text.get(self.at..).unwrap_or("")
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        self.skip_space();
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    fn value(&mut self, depth: usize) -> Result<Json, BadJson> {
        self.skip_space();
        match self.peek() {
            Some(b'{' | b'[') if depth == MOST_DEPTH => {
                Err(bad("too_deep", &format!("at most {MOST_DEPTH} levels of nesting")))
            }
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.list(depth + 1),
            Some(b'"') => self.string(LONGEST_TEXT).map(Json::Text),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => self.word(),
            None => Err(syntax("a complete JSON document")),
        }
    }

    fn word(&mut self) -> Result<Json, BadJson> {
        for (word, value) in [("null", Json::Null), ("true", Json::Bool(true)), ("false", Json::Bool(false))]
        {
            if self.rest().starts_with(word) {
                self.at += word.len();
                return Ok(value);
            }
        }
        Err(syntax("a JSON value"))
    }

    fn list(&mut self, depth: usize) -> Result<Json, BadJson> {
        self.at += 1;
        let mut elements = Vec::new();
        if self.take(b']') {
            return Ok(Json::List(elements));
        }
        loop {
            if elements.len() == MOST_ELEMENTS {
                return Err(bad("too_many_elements", &format!("at most {MOST_ELEMENTS} elements in a list")));
            }
            let step = elements.len().to_string();
            elements.push(self.value(depth).map_err(under(&step))?);
            if self.take(b']') {
                return Ok(Json::List(elements));
            }
            if !self.take(b',') {
                return Err(syntax("a comma or the end of the list"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json, BadJson> {
        self.at += 1;
        let mut fields = Vec::new();
        let mut seen = HashSet::new();
        if self.take(b'}') {
            return Ok(Json::Object(fields));
        }
        loop {
            if fields.len() == MOST_KEYS {
                return Err(bad("too_many_keys", &format!("at most {MOST_KEYS} keys in an object")));
            }
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(syntax("a key in double quotes"));
            }
            let key = self.string(LONGEST_KEY)?;
            if !seen.insert(key.clone()) {
                return Err(under(&key)(bad("duplicate_key", "each key once, however it is escaped")));
            }
            if !self.take(b':') {
                return Err(under(&key)(syntax("a colon after the key")));
            }
            let value = self.value(depth).map_err(under(&key))?;
            fields.push((key, value));
            if self.take(b'}') {
                return Ok(Json::Object(fields));
            }
            if !self.take(b',') {
                return Err(syntax("a comma or the end of the object"));
            }
        }
    }

    fn string(&mut self, longest: usize) -> Result<String, BadJson> {
        self.at += 1;
        let mut text = String::new();
        loop {
            let rest = self.rest();
            let run = rest.bytes().take_while(|byte| !matches!(byte, b'"' | b'\\' | 0..0x20)).count();
            text.push_str(rest.get(..run).unwrap_or(""));
            self.at += run;
            if text.len() > longest {
                return Err(bad("too_long", &format!("at most {longest} bytes")));
            }
            match self.peek() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(0) => return Err(bad("nul", "no NUL character")),
                Some(_) => return Err(syntax("control characters escaped")),
                None => return Err(syntax("a closing quote")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, BadJson> {
        self.at += 1;
        let sign = match self.peek() {
            Some(b'u') => {
                self.at += 1;
                return self.unicode_escape();
            }
            Some(plain @ (b'"' | b'\\' | b'/')) => char::from(plain),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(_) | None => return Err(syntax("one of the escapes of RFC 8259")),
        };
        self.at += 1;
        Ok(sign)
    }

    /// Both halves of a pair, or one unit outside the surrogates.
    fn unicode_escape(&mut self) -> Result<char, BadJson> {
        let lone = || bad("lone_surrogate", "surrogates only in pairs");
        let first = self.four_hex()?;
        let unit = match first {
            0 => return Err(bad("nul", "no NUL character")),
            0xD800..=0xDBFF => {
                if !self.rest().starts_with("\\u") {
                    return Err(lone());
                }
                self.at += 2;
                let second = self.four_hex()?;
                if !(0xDC00..=0xDFFF).contains(&second) {
                    return Err(lone());
                }
                0x1_0000 + ((first - 0xD800) << 10) + (second - 0xDC00)
            }
            plain => plain,
        };
        char::from_u32(unit).ok_or_else(lone)
    }

    fn four_hex(&mut self) -> Result<u32, BadJson> {
        let wanted = || syntax("four hexadecimal digits after \\u");
        let digits = self.rest().get(..4).ok_or_else(wanted)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(wanted());
        }
        self.at += 4;
        u32::from_str_radix(digits, 16).map_err(|_| wanted())
    }

    fn number(&mut self) -> Result<Json, BadJson> {
        let from = self.at;
        self.at += usize::from(self.peek() == Some(b'-'));
        let leading_zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && leading_zero {
            return Err(syntax("a number without leading zeros"));
        }
        let mut whole = true;
        if self.peek() == Some(b'.') {
            whole = false;
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            whole = false;
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), Some(b'+' | b'-')));
            self.digits()?;
        }
        let spelled = self.text.get(from..self.at).unwrap_or("");
        let kept = if whole {
            let in_bounds = |number: &i64| -INTEGER_BOUND < *number && *number < INTEGER_BOUND;
            spelled.parse().ok().filter(in_bounds).map(Json::Int)
        } else {
            spelled.parse().ok().filter(|number: &f64| number.is_finite()).map(Json::Float)
        };
        kept.ok_or_else(|| bad("number_out_of_range", "integers below 2^53, or a finite number"))
    }

    /// How many digits were there; at least one is wanted.
    fn digits(&mut self) -> Result<usize, BadJson> {
        let count = self.rest().bytes().take_while(u8::is_ascii_digit).count();
        self.at += count;
        if count == 0 { Err(syntax("a digit")) } else { Ok(count) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn refused(text: &str) -> (String, &'static str) {
        let fault = parse(text.as_bytes()).unwrap_err();
        (fault.pointer, fault.code)
    }

    #[test]
    fn ambiguous_or_broken_documents_are_refused_at_their_place() {
        let cases = [
            (r#"{"a":{"b":1,"b":2}}"#, "/a/b", "duplicate_key"),
            (r#"{"ab":1,"\u0061b":2}"#, "/ab", "duplicate_key"),
            (r#"{"a/b~":[1,null,"\u0000"]}"#, "/a~1b~0/2", "nul"),
            ("\"\0\"", "", "nul"),
            (r#"["\ud800"]"#, "/0", "lone_surrogate"),
            (r#"["\ud800\u0041"]"#, "/0", "lone_surrogate"),
            (r#"["\udc00"]"#, "/0", "lone_surrogate"),
            ("{} {}", "", "trailing_data"),
            ("{}\0", "", "trailing_data"),
            ("\u{feff}{}", "", "byte_order_mark"),
            (r#"{"n":123456789012345678901234567890}"#, "/n", "number_out_of_range"),
            (r#"{"n":9007199254740992}"#, "/n", "number_out_of_range"),
            (r#"{"n":-9007199254740992}"#, "/n", "number_out_of_range"),
            ("1e400", "", "number_out_of_range"),
            ("01", "", "bad_json"),
            ("1.", "", "bad_json"),
            ("+1", "", "bad_json"),
            ("NaN", "", "bad_json"),
            ("[1,]", "/1", "bad_json"),
            (r#"{"a":1,}"#, "", "bad_json"),
            (r#"{"a" 1}"#, "/a", "bad_json"),
            ("{a:1}", "", "bad_json"),
            ("\"a\nb\"", "", "bad_json"),
            (r#""\x""#, "", "bad_json"),
            (r#""\u12é""#, "", "bad_json"),
            ("\"open", "", "bad_json"),
            ("", "", "bad_json"),
            ("// no\n{}", "", "bad_json"),
        ];
        for (text, pointer, code) in cases {
            assert_eq!(refused(text), (pointer.to_owned(), code), "{text:?}");
        }
        assert_eq!(parse(b"\"\xff\"").unwrap_err().code, "not_utf8");
    }

    #[test]
    fn the_limits_hold_on_both_sides() {
        let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MOST_DEPTH).as_bytes()).is_ok());
        assert_eq!(refused(&nested(MOST_DEPTH + 1)).1, "too_deep");
        assert_eq!(refused(&"[".repeat(200_000)).1, "too_deep");
        assert_eq!(refused(&"{\"a\":".repeat(50_000)).1, "too_deep");

        let list = |length: usize| format!("[{}]", vec!["0"; length].join(","));
        assert!(parse(list(MOST_ELEMENTS).as_bytes()).is_ok());
        assert_eq!(refused(&list(MOST_ELEMENTS + 1)).1, "too_many_elements");

        let keys = |count: usize| {
            format!("{{{}}}", (0..count).map(|key| format!("\"{key}\":0")).collect::<Vec<_>>().join(","))
        };
        assert!(parse(keys(MOST_KEYS).as_bytes()).is_ok());
        assert_eq!(refused(&keys(MOST_KEYS + 1)).1, "too_many_keys");

        let text = |length: usize| format!("\"{}\"", "a".repeat(length));
        assert!(parse(text(LONGEST_TEXT).as_bytes()).is_ok());
        assert_eq!(refused(&text(LONGEST_TEXT + 1)).1, "too_long");
        let key = |length: usize| format!("{{{}:0}}", text(length));
        assert!(parse(key(LONGEST_KEY).as_bytes()).is_ok());
        assert_eq!(refused(&key(LONGEST_KEY + 1)).1, "too_long");
    }

    #[test]
    fn values_and_their_order_are_kept() {
        let read = parse(br#" {"b": [1, -2.5, "\u00e9\ud83d\ude00\n"], "a": null} "#).unwrap();
        let list = Json::List(vec![Json::Int(1), Json::Float(-2.5), Json::Text("é😀\n".to_owned())]);
        assert_eq!(read, Json::Object(vec![("b".to_owned(), list), ("a".to_owned(), Json::Null)]));
        assert_eq!(parse(b"9007199254740991").unwrap(), Json::Int(INTEGER_BOUND - 1));
    }

    #[test]
    fn a_refusal_never_repeats_a_value() {
        let fault = parse(br#"{"password":"hunter2\ud800"}"#).unwrap_err();
        assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    }

    fn document() -> impl Strategy<Value = serde_json::Value> {
        let text = any::<String>().prop_map(|text| text.replace('\0', ""));
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(serde_json::Value::from),
            ((1 - INTEGER_BOUND)..INTEGER_BOUND).prop_map(serde_json::Value::from),
            // Short decimal fractions: serde_json's fast float reader may be off by one in the last place.
            (-1_000_000_i32..1_000_000).prop_map(|n| serde_json::Value::from(f64::from(n) / 64.0)),
            text.clone().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(5, 60, 8, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..8).prop_map(serde_json::Value::from),
                prop::collection::vec((text.clone(), inner), 0..8)
                    .prop_map(|fields| fields.into_iter().collect::<serde_json::Value>()),
            ]
        })
    }

    proptest! {
        #[test]
        fn it_agrees_with_serde_json_on_valid_documents(value in document()) {
            for text in [value.to_string(), serde_json::to_string_pretty(&value).unwrap()] {
                prop_assert_eq!(parse(text.as_bytes()).unwrap(), Json::from_value(value.clone()));
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn what_it_takes_serde_json_takes_too(text in r#"[\[\]{}":,\\u0-9a-fA-Fe.+ \-truefalsnl]{0,24}"#) {
            if let Ok(read) = parse(text.as_bytes()) {
                let other: serde_json::Value = serde_json::from_str(&text).unwrap();
                if !text.contains("-0") {
                    prop_assert_eq!(read, Json::from_value(other));
                }
            }
        }
    }
}
