//! The one key of an installation, and everything that is derived from it.
//!
//! Must hold: each purpose has its own derived key (HMAC-SHA-256 of the purpose under the master); a sealed value is
//! bound to its purpose and its row, so that it opens nowhere else; no key and no clear text is ever printed.
//! Deliberately absent: key rotation; the first byte of a sealed value leaves room for it.

use std::fmt;
use std::io::Write as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead as _, Payload};
use chacha20poly1305::{KeyInit as _, XChaCha20Poly1305, XNonce};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use hmac::{Hmac, Mac as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::clock::World;
use crate::domain::canon::Digest;
use crate::domain::ids::{AttemptId, SecretId, SignInId, WorkflowId};
use crate::domain::names::{EmailAddress, SourceName, SourceRef};
use crate::domain::time::Timestamp;

/// What a sealed value is for; bound into the seal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The initial password of a new account.
    InitialPassword,
}

impl Purpose {
    const fn word(self) -> &'static str {
        match self {
            Self::InitialPassword => "initial-password",
        }
    }
}

/// Why the key cannot be had, or a sealed value not be opened.
#[derive(Debug, thiserror::Error)]
pub enum KeyFault {
    /// The file cannot be read or made.
    #[error("the key file cannot be {deed}")]
    File {
        /// `read` or `made`.
        deed: &'static str,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The file holds something else.
    #[error("the key file is not of the form `countersign-key-1` and 32 bytes in base64")]
    Form,
    /// Sealed under another key, for another row, or damaged.
    #[error("a sealed value does not open with this key")]
    DoesNotOpen,
    /// The cipher refused; only sizes beyond its limits bring this about.
    #[error("a value cannot be sealed")]
    DoesNotSeal,
}

/// The keys of one installation.
#[derive(Clone)]
pub struct KeyRing {
    master: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "KeyRing({})", self.fingerprint().short())
    }
}

/// A link token in clear; it goes into one mail and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct LinkToken(Zeroizing<String>);

impl LinkToken {
    /// Takes what came in a URL. Anything may come; only its hash is looked up.
    pub fn received(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text for the link.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the database keeps.
    pub fn hash(&self) -> Digest {
        Digest::of_bytes(self.0.as_bytes())
    }
}

/// Six digits in clear; they go into one mail and nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct SignInCode(Zeroizing<String>);

impl SignInCode {
    /// The digits, for the mail.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// A session's id in clear; it lives in one browser's cookie.
#[derive(Clone, PartialEq, Eq)]
pub struct BrowserSecret(Zeroizing<String>);

impl BrowserSecret {
    /// A fresh one.
    pub fn made(world: &World) -> Self {
        let fresh = Zeroizing::new(world.bytes::<32>());
        Self(Zeroizing::new(URL_SAFE_NO_PAD.encode(*fresh)))
    }

    /// Takes what came in a cookie. Anything may come; only its hash is looked up.
    pub fn received(text: &str) -> Self {
        Self(Zeroizing::new(text.to_owned()))
    }

    /// The text for the cookie.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What the database keeps.
    pub fn hash(&self) -> Digest {
        Digest::of_bytes(self.0.as_bytes())
    }
}

impl KeyRing {
    /// Reads the key file.
    pub fn read(path: &Path) -> Result<Self, KeyFault> {
        let text = std::fs::read_to_string(path).map_err(|source| KeyFault::File { deed: "read", source })?;
        let text = Zeroizing::new(text);
        let encoded = text.trim().strip_prefix(FIRST_WORD).ok_or(KeyFault::Form)?;
        let bytes =
            STANDARD_NO_PAD.decode(encoded.trim().trim_end_matches('=')).map_err(|_| KeyFault::Form)?;
        let master: [u8; 32] = bytes.try_into().map_err(|_| KeyFault::Form)?;
        Ok(Self { master: Zeroizing::new(master) })
    }

    /// Makes a key file, readable by its owner alone; an existing one is left and read.
    pub fn read_or_make(path: &Path, world: &World) -> Result<Self, KeyFault> {
        if !path.exists() {
            let fresh = Zeroizing::new(world.bytes::<32>());
            let line = Zeroizing::new(format!("{FIRST_WORD} {}\n", STANDARD_NO_PAD.encode(*fresh)));
            write_new(path, line.as_bytes())?;
        }
        Self::read(path)
    }

    /// A ring from bytes, for tests and for tools that keep the key elsewhere.
    pub fn from_bytes(master: [u8; 32]) -> Self {
        Self { master: Zeroizing::new(master) }
    }

    /// Names the key without telling it; kept in the database so that a wrong key is noticed at start.
    pub fn fingerprint(&self) -> Digest {
        Digest(self.derived("fingerprint"))
    }

    /// Seals a value to a purpose and a row.
    pub fn seal(
        &self,
        purpose: Purpose,
        row: Uuid,
        clear: &[u8],
        world: &World,
    ) -> Result<Vec<u8>, KeyFault> {
        let nonce: [u8; 24] = world.bytes();
        let bound = bound(purpose, row);
        let payload = Payload { msg: clear, aad: &bound };
        let hidden = self
            .cipher(purpose)?
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| KeyFault::DoesNotSeal)?;
        let mut sealed = vec![SEAL_VERSION];
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&hidden);
        Ok(sealed)
    }

    /// Opens what [`KeyRing::seal`] made for the same purpose and row.
    pub fn open(&self, purpose: Purpose, row: Uuid, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyFault> {
        let rest = sealed.strip_prefix(&[SEAL_VERSION]).ok_or(KeyFault::DoesNotOpen)?;
        let (nonce, hidden) = rest.split_first_chunk::<24>().ok_or(KeyFault::DoesNotOpen)?;
        let bound = bound(purpose, row);
        self.cipher(purpose)?
            .decrypt(&XNonce::from(*nonce), Payload { msg: hidden, aad: &bound })
            .map(Zeroizing::new)
            .map_err(|_| KeyFault::DoesNotOpen)
    }

    /// The token of one approver's link. Made anew whenever it is needed, so that none lies in the database.
    pub fn link_token(
        &self,
        workflow: WorkflowId,
        approver: &EmailAddress,
        stage: u32,
        number: u32,
    ) -> LinkToken {
        let message = format!("{workflow}\n{}\n{stage}\n{number}", approver.key());
        LinkToken(Zeroizing::new(URL_SAFE_NO_PAD.encode(self.mac("link", message.as_bytes()))))
    }

    /// The token of the link to one password. Made anew whenever it is needed, so that none lies in the database.
    pub fn hand_over_token(&self, secret: SecretId, recipient: &EmailAddress) -> LinkToken {
        let message = format!("{secret}\n{}", recipient.key());
        LinkToken(Zeroizing::new(URL_SAFE_NO_PAD.encode(self.mac("hand-over", message.as_bytes()))))
    }

    /// The token of a form: bound to the link it was shown under, the plan it showed and the time. Stateless, since
    /// showing a page must not write.
    pub fn form_token(&self, link: Digest, plan: Digest, at: Timestamp) -> String {
        let seconds = at.unix_seconds();
        let mac = self.mac("form", format!("{link}\n{plan}\n{seconds}").as_bytes());
        format!("{seconds}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// Was this form shown under this link for this plan, within the last `most_seconds`?
    pub fn form_token_holds(&self, link: Digest, plan: Digest, token: &str, clock: (Timestamp, i64)) -> bool {
        let (now, most_seconds) = clock;
        let at = token.split_once('.').and_then(|(seconds, _)| seconds.parse().ok());
        let Some(at) = at.and_then(Timestamp::from_unix_seconds) else { return false };
        let age = now.unix_seconds() - at.unix_seconds();
        let same =
            subtle::ConstantTimeEq::ct_eq(self.form_token(link, plan, at).as_bytes(), token.as_bytes());
        (-60..=most_seconds).contains(&age) && bool::from(same)
    }

    /// The code of one asking for sign-in. Made anew whenever it is needed, so that none lies in the database.
    pub fn sign_in_code(&self, asking: SignInId, address: &EmailAddress, browser: Digest) -> SignInCode {
        let message = format!("{asking}\n{}\n{browser}", address.key());
        let mac = self.mac("sign-in-code", message.as_bytes());
        // 128 bits over a million: no digit is likelier than another by anything that could be measured.
        let number = mac.first_chunk::<16>().map_or(0, |first| u128::from_be_bytes(*first));
        SignInCode(Zeroizing::new(format!("{:06}", number % 1_000_000)))
    }

    /// What the database keeps of a code, and what an entered one is compared with. Keyed, for six digits alone are
    /// tried out in a moment.
    pub fn sign_in_code_hash(&self, asking: SignInId, digits: &str) -> Digest {
        Digest(self.mac("sign-in-code-hash", format!("{asking}\n{digits}").as_bytes()))
    }

    /// That a session was seen at a moment; it travels in the cookie, since looking may not write.
    pub fn seen_mark(&self, session: Digest, at: Timestamp) -> String {
        let mac = self.mac("session-seen", format!("{session}\n{}", at.unix_seconds()).as_bytes());
        URL_SAFE_NO_PAD.encode(mac)
    }

    /// Is this our own word that the session was seen then?
    pub fn seen_mark_holds(&self, session: Digest, at: Timestamp, mark: &str) -> bool {
        bool::from(subtle::ConstantTimeEq::ct_eq(self.seen_mark(session, at).as_bytes(), mark.as_bytes()))
    }

    /// The id of the n-th attempt at making the account of a request, counted from 0. It is the mark that the account
    /// carries, so it can be told again where the database that knew of the attempt was lost; nobody else can tell it.
    pub fn create_attempt(&self, source: &SourceName, reference: &SourceRef, nth: usize) -> AttemptId {
        let mac = self.mac("create-attempt", format!("{source}\n{reference}\n{nth}").as_bytes());
        let bytes = mac.first_chunk::<16>().copied().unwrap_or_default();
        AttemptId(uuid::Builder::from_custom_bytes(bytes).into_uuid())
    }

    /// The key that signs heads of the audit log.
    pub fn signer(&self) -> HeadSigner {
        HeadSigner(SigningKey::from_bytes(&self.derived("head-signature")))
    }

    fn cipher(&self, purpose: Purpose) -> Result<XChaCha20Poly1305, KeyFault> {
        let key = Zeroizing::new(self.derived(purpose.word()));
        XChaCha20Poly1305::new_from_slice(key.as_slice()).map_err(|_| KeyFault::DoesNotSeal)
    }

    fn derived(&self, purpose: &str) -> [u8; 32] {
        keyed(self.master.as_slice(), format!("countersign/key/1\n{purpose}").as_bytes())
    }

    fn mac(&self, purpose: &str, message: &[u8]) -> [u8; 32] {
        keyed(&self.derived(purpose), message)
    }
}

/// Signs heads (Ed25519, RFC 8032).
pub struct HeadSigner(SigningKey);

impl HeadSigner {
    /// The signature over a head's text.
    pub fn sign(&self, text: &[u8]) -> [u8; 64] {
        self.0.sign(text).to_bytes()
    }

    /// What a reader needs to check signatures.
    pub fn public(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }
}

/// Did the owner of this public key sign this text? Weak keys and second spellings of a signature are refused.
pub fn is_signed_by(public: &[u8; 32], text: &[u8], signature: &[u8]) -> bool {
    let key = VerifyingKey::from_bytes(public);
    let signature = Signature::from_slice(signature);
    matches!((key, signature), (Ok(key), Ok(signature)) if key.verify_strict(text, &signature).is_ok())
}

const FIRST_WORD: &str = "countersign-key-1";
const SEAL_VERSION: u8 = 1;

fn bound(purpose: Purpose, row: Uuid) -> Vec<u8> {
    format!("countersign/sealed/1\n{}\n{row}", purpose.word()).into_bytes()
}

fn keyed(key: &[u8], message: &[u8]) -> [u8; 32] {
    // HMAC takes a key of any length (RFC 2104, section 2), so the fallback is never reached.
    Hmac::<Sha256>::new_from_slice(key).map_or_else(
        |_| Sha256::digest(key).into(),
        |mut mac| {
            mac.update(message);
            mac.finalize().into_bytes().into()
        },
    )
}

fn write_new(path: &Path, line: &[u8]) -> Result<(), KeyFault> {
    let made = |source| KeyFault::File { deed: "made", source };
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(mut file) => file.write_all(line).and_then(|()| file.sync_all()).map_err(made),
        // Another process was first: its key counts.
        Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(fault) => Err(made(fault)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ring() -> KeyRing {
        KeyRing::from_bytes([7; 32])
    }

    #[test]
    fn a_sealed_value_opens_for_its_own_row_only() {
        let (row, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let sealed = ring().seal(Purpose::InitialPassword, row, b"s3cret", &World::real()).unwrap();
        assert_eq!(ring().open(Purpose::InitialPassword, row, &sealed).unwrap().as_slice(), b"s3cret");
        assert!(ring().open(Purpose::InitialPassword, other, &sealed).is_err());
        assert!(KeyRing::from_bytes([8; 32]).open(Purpose::InitialPassword, row, &sealed).is_err());
    }

    #[test]
    fn a_form_token_holds_for_its_link_plan_and_time() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        let (link, plan) = (Digest::of_bytes(b"link"), Digest::of_bytes(b"plan"));
        let token = ring().form_token(link, plan, at(1000));
        assert!(ring().form_token_holds(link, plan, &token, (at(1100), 600)));
        assert!(!ring().form_token_holds(link, plan, &token, (at(1601), 600)));
        assert!(!ring().form_token_holds(plan, link, &token, (at(1100), 600)));
        assert!(!ring().form_token_holds(link, plan, "1000.AAAA", (at(1100), 600)));
        assert!(!ring().form_token_holds(link, plan, "", (at(1100), 600)));
    }

    #[test]
    fn a_sign_in_code_has_six_digits_and_is_of_one_asking() {
        let at = Timestamp::from_unix_seconds(1).unwrap();
        let ana = EmailAddress::parse("ana@example.com").unwrap();
        let browser = Digest::of_bytes(b"browser");
        let mut seen = std::collections::BTreeSet::new();
        for number in 0..200_u8 {
            let asking = SignInId::made(at, [number; 10]);
            let code = ring().sign_in_code(asking, &ana, browser);
            assert!(code.reveal().len() == 6 && code.reveal().bytes().all(|byte| byte.is_ascii_digit()));
            assert!(code == ring().sign_in_code(asking, &ana, browser));
            seen.insert(code.reveal().to_owned());
        }
        assert!(seen.len() > 190);
        let asking = SignInId::made(at, [1; 10]);
        let hash = ring().sign_in_code_hash(asking, "123456");
        assert_ne!(hash, ring().sign_in_code_hash(SignInId::made(at, [2; 10]), "123456"));
        assert_ne!(hash, KeyRing::from_bytes([8; 32]).sign_in_code_hash(asking, "123456"));
    }

    #[test]
    fn only_our_own_word_says_when_a_session_was_seen() {
        let at = |seconds| Timestamp::from_unix_seconds(seconds).unwrap();
        let (session, other) = (Digest::of_bytes(b"one"), Digest::of_bytes(b"other"));
        let mark = ring().seen_mark(session, at(5));
        assert!(ring().seen_mark_holds(session, at(5), &mark));
        assert!(
            !ring().seen_mark_holds(session, at(6), &mark) && !ring().seen_mark_holds(other, at(5), &mark)
        );
        assert!(!ring().seen_mark_holds(session, at(5), ""));
    }

    #[test]
    fn a_key_file_is_made_once_and_for_its_owner_alone() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("c.key");
        let made = KeyRing::read_or_make(&path, &World::real()).unwrap();
        let again = KeyRing::read_or_make(&path, &World::real()).unwrap();
        assert_eq!(made.fingerprint(), again.fingerprint());
        #[cfg(unix)]
        assert_eq!(
            std::os::unix::fs::PermissionsExt::mode(&path.metadata().unwrap().permissions()) & 0o777,
            0o600
        );
        assert!(!format!("{made:?}").contains(&STANDARD_NO_PAD.encode(*made.master)));
    }
}
