//! `verify` of a source: how a message is known to be its own.
//!
//! Must hold: what is signed has one reading only (`signed` names the body once, and two headers never touch); a
//! header counts as a time or as a delivery key only if the signature covers it; no secret is short enough to be
//! guessed. Deliberately absent: judging a message (intake).

use std::ops::RangeInclusive;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretSlice, SecretString};

use super::reader::Section;

/// How a message is known to be from its source.
#[derive(Debug, Clone)]
pub enum Verify {
    /// Standard Webhooks, HMAC-SHA256; any of these secrets fits.
    StandardWebhooks(Vec<SecretSlice<u8>>),
    /// An HMAC over parts of the message, as the sender's product puts them together.
    Hmac(Box<Recipe>),
    /// A header that carries a secret as it is.
    Token(Token),
    /// HTTP Basic (RFC 7617).
    Basic(Basic),
    /// The API token of a client that names this source.
    ApiToken,
}

/// How one product signs.
#[derive(Debug, Clone)]
pub struct Recipe {
    /// Where the signature stands.
    pub header: HeaderText,
    /// The hash of the HMAC.
    pub algorithm: Algorithm,
    /// How the signature is spelled.
    pub encoding: Encoding,
    /// What stands before it, such as `sha256=`.
    pub prefix: String,
    /// What is signed, in order.
    pub signed: Vec<Part>,
    /// The signed time of the message, where the product sends one.
    pub time: Option<SignedTime>,
    /// The signed header that names the event, where the product sends one.
    pub delivery_key: Option<HeaderText>,
    /// Any of these fits.
    pub secrets: Vec<SecretString>,
}

/// A time that the signature covers.
#[derive(Debug, Clone)]
pub struct SignedTime {
    /// The header it stands in.
    pub header: HeaderText,
    /// So far from now it may lie, both ways.
    pub window: TimeDelta,
}

/// The hash of an HMAC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Algorithm {
    /// SHA-256
    Sha256,
    /// SHA-512
    Sha512,
}

/// How a signature is spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Lower-case hexadecimal.
    Hex,
    /// Base64 with the usual alphabet.
    Base64,
    /// Base64 with the alphabet for addresses, padded or not.
    Base64Url,
}

/// One part of what is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// The method of the call, which is always `POST`.
    Method,
    /// The raw body.
    Body,
    /// The value of a header.
    Header(HeaderText),
    /// These very characters.
    Text(String),
}

/// A secret in a header.
#[derive(Debug, Clone)]
pub struct Token {
    /// The header.
    pub header: HeaderText,
    /// What stands before the secret, such as `Bearer `.
    pub prefix: String,
    /// Any of these fits.
    pub secrets: Vec<SecretString>,
}

/// A name and a password.
#[derive(Debug, Clone)]
pub struct Basic {
    /// The name.
    pub username: String,
    /// Any of these fits.
    pub passwords: Vec<SecretString>,
}

/// The name of a header, in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeaderText(String);

impl HeaderText {
    /// 1 to 64 letters, digits and hyphens.
    pub fn parse(text: &str) -> Option<Self> {
        let fits = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        (fits && (1..=64).contains(&text.len())).then(|| Self(text.to_ascii_lowercase()))
    }

    /// In lower case.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const A_HEADER: &str = "the name of a header, 1 to 64 letters, digits and hyphens";
/// Products hand out signing keys of their own length; less than this could be guessed.
const SIGNING_KEY: RangeInclusive<usize> = 16..=512;
const SHOWN_SECRET: RangeInclusive<usize> = 24..=512;
const WINDOW: RangeInclusive<TimeDelta> = TimeDelta::seconds(10)..=TimeDelta::hours(1);
const USUAL_WINDOW: TimeDelta = TimeDelta::minutes(5);

/// Reads `verify` of a source.
pub(super) fn read_verify(source: &Section<'_>) -> Option<Verify> {
    const KINDS: &str = "\"standard-webhooks\", \"hmac\", \"token\", \"basic\" or \"api-token\"";
    if source.value("verify").is_none() {
        source.fault("verify", "missing; wanted: how a message of this source is verified");
        return None;
    }
    let section = source.section("verify");
    let known = |text: &str| matches!(text, "standard-webhooks" | "hmac" | "token" | "basic" | "api-token");
    // Which keys belong here is unknown when the kind is.
    let kind = section.needed("kind", KINDS, |text| known(text).then(|| text.to_owned()))?;
    let verify = match kind.as_str() {
        "standard-webhooks" => read_standard_webhooks(&section),
        "hmac" => read_recipe(&section).map(|recipe| Verify::Hmac(Box::new(recipe))),
        "token" => read_token(&section).map(Verify::Token),
        "basic" => read_basic(&section).map(Verify::Basic),
        _ => Some(Verify::ApiToken),
    };
    section.refuse_unknown();
    verify
}

fn read_standard_webhooks(section: &Section<'_>) -> Option<Verify> {
    let secrets = section.secrets("secrets");
    let keys: Vec<_> = secrets.iter().filter_map(|(key, secret)| signing_key(section, key, secret)).collect();
    (!keys.is_empty()).then_some(Verify::StandardWebhooks(keys))
}

/// `whsec_` and 24 to 64 bytes in base64.
fn signing_key(section: &Section<'_>, key: &str, secret: &SecretString) -> Option<SecretSlice<u8>> {
    let bytes = secret.expose_secret().strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let fitting =
        bytes.map(SecretSlice::from).filter(|bytes| (24..=64).contains(&bytes.expose_secret().len()));
    if fitting.is_none() {
        section.gather().fault(key, "wanted: whsec_ and 24 to 64 bytes in base64");
    }
    fitting
}

fn read_recipe(section: &Section<'_>) -> Option<Recipe> {
    let header = section.needed("header", A_HEADER, HeaderText::parse);
    let algorithm = section.read("algorithm", "\"sha256\" or \"sha512\"", |text| match text {
        "sha256" => Some(Algorithm::Sha256),
        "sha512" => Some(Algorithm::Sha512),
        _ => None,
    });
    let encoding = section.read("encoding", "\"hex\", \"base64\" or \"base64url\"", |text| match text {
        "hex" => Some(Encoding::Hex),
        "base64" => Some(Encoding::Base64),
        "base64url" => Some(Encoding::Base64Url),
        _ => None,
    });
    let prefix = read_prefix(section);
    let signed = read_signed(section);
    let time = read_time(section, &signed);
    let delivery_key = covered(section, "delivery_key", &signed);
    let secrets = read_secrets(section, "secrets", SIGNING_KEY);
    Some(Recipe {
        header: header?,
        algorithm: algorithm.unwrap_or(Algorithm::Sha256),
        encoding: encoding.unwrap_or(Encoding::Hex),
        prefix,
        signed,
        time,
        delivery_key,
        secrets: secrets?,
    })
}

fn read_prefix(section: &Section<'_>) -> String {
    let wanted = "at most 32 visible ASCII characters or spaces";
    let fits = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
    let prefix = section
        .read("prefix", wanted, |text| (text.len() <= 32 && text.bytes().all(fits)).then(|| text.to_owned()));
    prefix.unwrap_or_default()
}

/// The body alone, unless it is written otherwise.
fn read_signed(section: &Section<'_>) -> Vec<Part> {
    if section.value("signed").is_none() {
        return vec![Part::Body];
    }
    let wanted = "\"method\", \"body\", \"header:NAME\" or \"text:CHARACTERS\"";
    let signed = section.some("signed", wanted, part);
    if !signed.is_empty() && signed.iter().filter(|part| **part == Part::Body).count() != 1 {
        section.fault("signed", "wanted: \"body\" exactly once, for nothing else proves what was sent");
    }
    let touching = signed.windows(2).any(|two| two.iter().all(|part| matches!(part, Part::Header(_))));
    if touching {
        section.fault(
            "signed",
            "wanted: something between two headers, or characters could move from one to the other",
        );
    }
    signed
}

fn part(text: &str) -> Option<Part> {
    match (text, text.split_once(':')) {
        ("method", _) => Some(Part::Method),
        ("body", _) => Some(Part::Body),
        (_, Some(("header", name))) => HeaderText::parse(name).map(Part::Header),
        (_, Some(("text", text))) if (1..=64).contains(&text.len()) => Some(Part::Text(text.to_owned())),
        _ => None,
    }
}

/// A header that must be among the signed ones.
fn covered(section: &Section<'_>, name: &'static str, signed: &[Part]) -> Option<HeaderText> {
    let header = section.read(name, A_HEADER, HeaderText::parse)?;
    if !signed.contains(&Part::Header(header.clone())) {
        section.fault(name, "wanted: a header that stands in signed; anybody could change another one");
    }
    Some(header)
}

fn read_time(section: &Section<'_>, signed: &[Part]) -> Option<SignedTime> {
    let header = covered(section, "timestamp_header", signed);
    if section.value("timestamp_header").is_none() && section.value("window").is_some() {
        section.fault("window", "wanted: only together with timestamp_header");
    }
    let window = section.span("window", WINDOW, USUAL_WINDOW);
    header.map(|header| SignedTime { header, window })
}

fn read_token(section: &Section<'_>) -> Option<Token> {
    let header = section.needed("header", A_HEADER, HeaderText::parse);
    let prefix = read_prefix(section);
    let secrets = read_secrets(section, "secrets", SHOWN_SECRET);
    Some(Token { header: header?, prefix, secrets: secrets? })
}

fn read_basic(section: &Section<'_>) -> Option<Basic> {
    let wanted = "1 to 128 visible ASCII characters without a colon";
    let username = section.needed("username", wanted, |text| {
        let fits = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b':');
        (fits && (1..=128).contains(&text.len())).then(|| text.to_owned())
    });
    let passwords = read_secrets(section, "passwords", SHOWN_SECRET);
    Some(Basic { username: username?, passwords: passwords? })
}

/// Secrets in visible ASCII; `None` when none of them fits.
fn read_secrets(
    section: &Section<'_>,
    name: &'static str,
    length: RangeInclusive<usize>,
) -> Option<Vec<SecretString>> {
    let mut fitting = Vec::new();
    for (key, secret) in section.secrets(name) {
        let text = secret.expose_secret();
        if length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic()) {
            fitting.push(secret);
        } else {
            let (least, most) = (length.start(), length.end());
            section
                .gather()
                .fault(&key, format!("wanted: {least} to {most} ASCII characters without spaces"));
        }
    }
    (!fitting.is_empty()).then_some(fitting)
}
