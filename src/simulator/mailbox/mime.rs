//! A small MIME reader: headers, multipart, quoted-printable, base64, encoded words.
//!
//! Must hold: whatever arrives, reading never fails; what cannot be decoded is shown as it came. The raw bytes stay
//! the truth. Deliberately not here: attachments beyond text, and charsets other than UTF-8 and Latin-1.

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::{alphabet, engine::DecodePaddingMode};

const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Nested multiparts beyond this depth are not opened.
const DEEPEST: usize = 8;

/// What a reader sees of a message.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub headers: Vec<(String, String)>,
    pub text: Option<String>,
    pub html: Option<String>,
}

impl Message {
    /// Reads a whole message.
    pub(super) fn read(raw: &[u8]) -> Self {
        let (headers, body) = entity(raw);
        let mut message = Self::default();
        message.take_part(&headers, body, 0);
        message.headers = headers.into_iter().map(|(name, value)| (name, decoded_words(&value))).collect();
        message
    }

    fn take_part(&mut self, headers: &[(String, String)], body: &[u8], depth: usize) {
        let kind = header(headers, "content-type").unwrap_or("text/plain; charset=us-ascii");
        let media = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        if let (true, Some(boundary)) = (media.starts_with("multipart/"), parameter(kind, "boundary")) {
            if depth < DEEPEST {
                for part in parts(body, &boundary) {
                    let (headers, body) = entity(part);
                    self.take_part(&headers, body, depth + 1);
                }
            }
            return;
        }
        let place = match media.as_str() {
            "text/plain" => &mut self.text,
            "text/html" => &mut self.html,
            _ => return,
        };
        if place.is_none() {
            let encoding = header(headers, "content-transfer-encoding").unwrap_or("7bit");
            let bytes = decoded(encoding.trim(), body);
            *place = Some(in_charset(&bytes, &parameter(kind, "charset").unwrap_or_default()));
        }
    }
}

/// The first header of this name, in any case.
pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// Headers (unfolded) and body of an entity.
fn entity(raw: &[u8]) -> (Vec<(String, String)>, &[u8]) {
    let mut headers: Vec<(String, String)> = Vec::new();
    let mut rest = raw;
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |place| place + 1);
        let (line, after) = rest.split_at(end);
        rest = after;
        let line = String::from_utf8_lossy(line);
        let line = line.trim_end_matches(['\r', '\n']);
        if line.is_empty() {
            break;
        }
        match (line.starts_with([' ', '\t']), line.split_once(':')) {
            (true, _) => {
                if let Some((_, value)) = headers.last_mut() {
                    value.push(' ');
                    value.push_str(line.trim_start());
                }
            }
            (false, Some((name, value))) => headers.push((name.trim().to_owned(), value.trim().to_owned())),
            (false, None) => {}
        }
    }
    (headers, rest)
}

/// A parameter of a header such as `boundary`, quoted or not.
fn parameter(value: &str, name: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|part| {
        let (key, value) = part.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The entities between the delimiter lines of a multipart body.
fn parts<'a>(body: &'a [u8], boundary: &str) -> Vec<&'a [u8]> {
    let delimiter = format!("--{boundary}");
    let closing = format!("--{boundary}--");
    let mut found = Vec::new();
    let mut begin = None;
    let mut place = 0;
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let text = String::from_utf8_lossy(line);
        let text = text.trim_end();
        if text == delimiter || text == closing {
            if let Some(begin) = begin {
                found.push(without_last_break(&body[begin..place]));
            }
            begin = (text == delimiter).then_some(place + line.len());
        }
        place += line.len();
    }
    found.extend(begin.map(|begin| &body[begin..]));
    found
}

/// The line break before a delimiter belongs to the delimiter.
fn without_last_break(part: &[u8]) -> &[u8] {
    part.strip_suffix(b"\r\n").or_else(|| part.strip_suffix(b"\n")).unwrap_or(part)
}

fn decoded(encoding: &str, body: &[u8]) -> Vec<u8> {
    match encoding.to_ascii_lowercase().as_str() {
        "base64" => from_base64(body),
        "quoted-printable" => from_quoted(body),
        _ => body.to_vec(),
    }
}

fn from_base64(body: &[u8]) -> Vec<u8> {
    let dense: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    LENIENT.decode(&dense).unwrap_or_else(|_| body.to_vec())
}

fn from_quoted(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(body.len());
    let mut rest = body;
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let byte = hex.and_then(|two| u8::from_str_radix(two, 16).ok());
        rest = match (*first, byte) {
            (b'=', Some(byte)) => {
                bytes.push(byte);
                &after[2..]
            }
            (b'=', None) if after.starts_with(b"\r\n") => &after[2..],
            (b'=', None) if after.starts_with(b"\n") => &after[1..],
            (other, _) => {
                bytes.push(other);
                after
            }
        };
    }
    bytes
}

fn in_charset(bytes: &[u8], charset: &str) -> String {
    match (std::str::from_utf8(bytes), charset.to_ascii_lowercase().as_str()) {
        (_, "iso-8859-1" | "latin1" | "windows-1252") | (Err(_), _) => {
            bytes.iter().copied().map(char::from).collect()
        }
        (Ok(text), _) => text.to_owned(),
    }
}

/// Decodes `=?charset?B?..?=` and `=?charset?Q?..?=`; blanks between two encoded words vanish (RFC 2047, 6.2).
fn decoded_words(value: &str) -> String {
    let mut shown = String::new();
    let mut rest = value;
    let mut after_word = false;
    while let Some(place) = rest.find("=?") {
        let (before, word) = rest.split_at(place);
        let Some((text, after)) = decoded_word(word) else {
            shown.push_str(before);
            shown.push_str("=?");
            rest = &word[2..];
            after_word = false;
            continue;
        };
        if !(after_word && before.trim().is_empty()) {
            shown.push_str(before);
        }
        shown.push_str(&text);
        rest = after;
        after_word = true;
    }
    shown + rest
}

fn decoded_word(word: &str) -> Option<(String, &str)> {
    let (charset, rest) = word.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (text, after) = rest.split_once("?=")?;
    let bytes = match encoding {
        "B" | "b" => from_base64(text.as_bytes()),
        "Q" | "q" => from_quoted(text.replace('_', " ").as_bytes()),
        _ => return None,
    };
    Some((in_charset(&bytes, charset), after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_multipart_is_read() {
        let raw = "Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?B?IGF1cyBLw7Zsbg==?= plain\r\n\
            Content-Type: multipart/mixed; boundary=\"out er\"\r\n\r\npreamble\r\n--out er\r\n\
            Content-Type: multipart/alternative; boundary=in\r\n\r\n--in\r\nContent-Type: text/plain; charset=utf-8\r\n\
            Content-Transfer-Encoding: quoted-printable\r\n\r\na =3D b=\r\n c =C3=A4\r\n--in\r\n\
            Content-Type: text/html; charset=iso-8859-1\r\nContent-Transfer-Encoding: base64\r\n\r\nPHA+\r\n5A==\r\n\
            --in--\r\n--out er--\r\n";
        let message = Message::read(raw.as_bytes());
        assert_eq!(header(&message.headers, "subject"), Some("Grüße aus Köln plain"));
        assert_eq!(message.text.as_deref(), Some("a = b c ä"));
        assert_eq!(message.html.as_deref(), Some("<p>ä"));
    }

    #[test]
    fn nonsense_is_shown_as_it_came() {
        let message = Message::read(b"Subject: =?x\r\n\r\nbody =\xff");
        assert_eq!(header(&message.headers, "subject"), Some("=?x"));
        assert_eq!(message.text.as_deref(), Some("body =\u{ff}"));
    }
}
