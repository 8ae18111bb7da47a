//! One SMTP conversation (RFC 5321), as far as a mail service needs it.
//!
//! Must hold: a message is kept exactly as sent, dots unstuffed; a scripted refusal keeps nothing. Deliberately not
//! here: TLS, sending on, and any limit but the size of a message.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::ExposeSecret;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use super::{Credentials, Mailbox};

/// No message is longer than this, in bytes.
const LONGEST: usize = 16 * 1024 * 1024;

/// What a client has said so far.
#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

pub(super) struct Conversation<S> {
    stream: BufReader<S>,
    mailbox: Mailbox,
    envelope: Envelope,
    signed_in: bool,
}

/// Whether the conversation goes on.
enum Next {
    Line,
    End,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Conversation<S> {
    pub(super) fn new(stream: S, mailbox: Mailbox) -> Self {
        Self { stream: BufReader::new(stream), mailbox, envelope: Envelope::default(), signed_in: false }
    }

    /// Talks until the client has had enough.
    pub(super) async fn run(mut self) -> std::io::Result<()> {
        self.say("220 mailbox.example ESMTP").await?;
        while let Some(line) = self.line().await? {
            match self.command(&line).await? {
                Next::Line => {}
                Next::End => break,
            }
        }
        Ok(())
    }

    async fn command(&mut self, line: &str) -> std::io::Result<Next> {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                let offer =
                    if self.mailbox.credentials().is_some() { "250-AUTH PLAIN LOGIN\r\n" } else { "" };
                self.say(&format!("250-mailbox.example\r\n{offer}250-8BITMIME\r\n250 SMTPUTF8")).await?;
            }
            "HELO" => self.say("250 mailbox.example").await?,
            "AUTH" => self.auth(rest).await?,
            "MAIL" if self.mailbox.credentials().is_some() && !self.signed_in => {
                self.say("530 5.7.0 Authentication required").await?;
            }
            "MAIL" => match (self.mailbox.refusal(), address(rest, "FROM:")) {
                (Some(code), _) => self.say(&format!("{code} refused on script")).await?,
                (None, Some(from)) => {
                    self.envelope = Envelope { from: Some(from), to: Vec::new() };
                    self.say("250 2.1.0 Ok").await?;
                }
                (None, None) => self.say("501 5.5.4 Syntax: MAIL FROM:<address>").await?,
            },
            "RCPT" => match (self.envelope.from.is_some(), address(rest, "TO:")) {
                (false, _) => self.say("503 5.5.1 MAIL first").await?,
                (true, Some(to)) => {
                    self.envelope.to.push(to);
                    self.say("250 2.1.5 Ok").await?;
                }
                (true, None) => self.say("501 5.5.4 Syntax: RCPT TO:<address>").await?,
            },
            "DATA" if self.envelope.to.is_empty() => self.say("503 5.5.1 RCPT first").await?,
            "DATA" => return self.data().await,
            "RSET" => {
                self.envelope = Envelope::default();
                self.say("250 2.0.0 Ok").await?;
            }
            "NOOP" => self.say("250 2.0.0 Ok").await?,
            "QUIT" => {
                self.say("221 2.0.0 Bye").await?;
                return Ok(Next::End);
            }
            _ => self.say("502 5.5.2 Command not recognised").await?,
        }
        Ok(Next::Line)
    }

    async fn data(&mut self) -> std::io::Result<Next> {
        self.say("354 End data with <CR><LF>.<CR><LF>").await?;
        let mut raw = Vec::new();
        loop {
            let mut line = Vec::new();
            if (&mut self.stream).take(1024 * 1024).read_until(b'\n', &mut line).await? == 0
                || raw.len() > LONGEST
            {
                return Ok(Next::End);
            }
            if line == b".\r\n" || line == b".\n" {
                break;
            }
            raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
        }
        let envelope = std::mem::take(&mut self.envelope);
        let number = self.mailbox.deliver(envelope.from.unwrap_or_default(), envelope.to, raw);
        self.say(&format!("250 2.0.0 Ok: kept as {number}")).await?;
        Ok(Next::Line)
    }

    async fn auth(&mut self, rest: &str) -> std::io::Result<()> {
        let (mechanism, initial) = rest.split_once(' ').unwrap_or((rest, ""));
        let (user, password) = match mechanism.to_ascii_uppercase().as_str() {
            "PLAIN" => {
                let text = if initial.is_empty() { self.ask("").await? } else { unwrapped(initial) };
                let mut parts = text.split('\0').skip(1).map(str::to_owned);
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            "LOGIN" => {
                let user = if initial.is_empty() { self.ask("Username:").await? } else { unwrapped(initial) };
                (user, self.ask("Password:").await?)
            }
            _ => return self.say("504 5.5.4 Mechanism not known").await,
        };
        self.signed_in = self.mailbox.credentials().is_some_and(|known| is(known, &user, &password));
        let answer = if self.signed_in { "235 2.7.0 Accepted" } else { "535 5.7.8 Credentials invalid" };
        self.say(answer).await
    }

    async fn ask(&mut self, prompt: &str) -> std::io::Result<String> {
        self.say(&format!("334 {}", STANDARD.encode(prompt))).await?;
        Ok(unwrapped(&self.line().await?.unwrap_or_default()))
    }

    async fn say(&mut self, line: &str) -> std::io::Result<()> {
        // One write: a line in two pieces would wait for the client's delayed acknowledgement of the first.
        self.stream.write_all(format!("{line}\r\n").as_bytes()).await?;
        self.stream.flush().await
    }

    async fn line(&mut self) -> std::io::Result<Option<String>> {
        let mut line = Vec::new();
        if (&mut self.stream).take(64 * 1024).read_until(b'\n', &mut line).await? == 0 {
            return Ok(None);
        }
        Ok(Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned()))
    }
}

fn is(known: &Credentials, user: &str, password: &str) -> bool {
    known.user == user && known.password.expose_secret() == password
}

fn unwrapped(text: &str) -> String {
    String::from_utf8_lossy(&STANDARD.decode(text.trim()).unwrap_or_default()).into_owned()
}

/// The address of `FROM:<a@b> SIZE=1`; an empty one is a bounce and allowed.
fn address(rest: &str, keyword: &str) -> Option<String> {
    let rest = rest.trim_start();
    let said = rest.get(..keyword.len()).filter(|said| said.eq_ignore_ascii_case(keyword))?;
    let (address, _) = rest[said.len()..].trim_start().strip_prefix('<')?.split_once('>')?;
    Some(address.to_owned())
}
