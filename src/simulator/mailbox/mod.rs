//! A mailbox of our own: an SMTP server that keeps everything, and a page that shows it.
//!
//! Must hold: a mail answered with 250 is kept with its raw bytes; nothing is ever sent on. Deliberately not here: TLS.

mod mime;
mod pages;
mod smtp;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde::Serialize;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::clock::SimClock;
use super::serving::Served;
pub(super) use pages::page;

/// One mail as it arrived.
#[derive(Debug, Clone, Serialize)]
pub struct Mail {
    /// Its number in this mailbox, from 1.
    pub number: usize,
    /// When it arrived, by the simulator's clock.
    pub at: DateTime<Utc>,
    /// The sender on the envelope.
    pub from: String,
    /// The recipients on the envelope.
    pub to: Vec<String>,
    /// The decoded subject.
    pub subject: String,
    /// All headers, unfolded, encoded words decoded, in order.
    pub headers: Vec<(String, String)>,
    /// The first plain text part.
    pub text: Option<String>,
    /// The first HTML part.
    pub html: Option<String>,
    /// The message exactly as sent.
    #[serde(skip)]
    pub raw: Vec<u8>,
}

impl Mail {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        mime::header(&self.headers, name)
    }

    /// Everything that somebody may read in it, decoded, and the bytes as they were sent: text in transfer encoding
    /// breaks its lines and spells signs otherwise, so a search of the bytes alone misses what a reader sees.
    pub fn everything(&self) -> String {
        let mut all = vec![String::from_utf8_lossy(&self.raw).into_owned(), self.subject.clone()];
        all.extend(self.headers.iter().map(|(name, value)| format!("{name}: {value}")));
        all.extend(self.text.iter().chain(&self.html).cloned());
        all.join("\n")
    }

    /// Every web address in the text, then those that only the HTML has; each once.
    pub fn links(&self) -> Vec<String> {
        let html = self.html.as_deref().unwrap_or("").replace("&amp;", "&").replace("&#38;", "&");
        let mut links = Vec::new();
        for link in pages::links_in(self.text.as_deref().unwrap_or("")).chain(pages::links_in(&html)) {
            if !links.iter().any(|known| known == link) {
                links.push(link.to_owned());
            }
        }
        links
    }
}

/// What a client must sign in with.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The user name.
    pub user: String,
    /// The password.
    pub password: SecretString,
}

/// A scripted refusal.
#[derive(Debug, Clone, Copy)]
struct Refusing {
    code: u16,
    times: u64,
}

#[derive(Default)]
struct Kept {
    mails: Vec<Mail>,
    refusing: Option<Refusing>,
}

/// The mailbox as a test or the demo holds it. Clones are the same mailbox.
#[derive(Clone)]
pub struct Mailbox {
    kept: Arc<Mutex<Kept>>,
    clock: SimClock,
    credentials: Option<Arc<Credentials>>,
}

impl Mailbox {
    /// An empty mailbox. With credentials, nobody may send without signing in.
    pub fn new(clock: SimClock, credentials: Option<Credentials>) -> Self {
        Self { kept: Arc::default(), clock, credentials: credentials.map(Arc::new) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every mail, oldest first.
    pub fn mails(&self) -> Vec<Mail> {
        self.kept().mails.clone()
    }

    /// The mails to this address (in any case), oldest first.
    pub fn mails_to(&self, address: &str) -> Vec<Mail> {
        let to_them = |mail: &Mail| mail.to.iter().any(|to| to.eq_ignore_ascii_case(address));
        self.mails().into_iter().filter(to_them).collect()
    }

    /// Every link in the mails to this address, oldest first.
    pub fn links_for(&self, address: &str) -> Vec<String> {
        self.mails_to(address).iter().flat_map(Mail::links).collect()
    }

    /// Throws everything away.
    pub fn clear(&self) {
        self.kept().mails.clear();
    }

    /// Answers the next `times` mails with this SMTP code (4xx or 5xx) and keeps none of them.
    pub fn refuse(&self, code: u16, times: u64) {
        self.kept().refusing = Some(Refusing { code, times });
    }

    fn refusal(&self) -> Option<u16> {
        let mut kept = self.kept();
        let refusing = kept.refusing.as_mut().filter(|refusing| refusing.times > 0)?;
        refusing.times -= 1;
        Some(refusing.code)
    }

    fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_deref()
    }

    fn deliver(&self, from: String, to: Vec<String>, raw: Vec<u8>) -> usize {
        let message = mime::Message::read(&raw);
        let subject = mime::header(&message.headers, "subject").unwrap_or("").to_owned();
        let mime::Message { headers, text, html } = message;
        let at = self.clock.now();
        let mut kept = self.kept();
        let number = kept.mails.len() + 1;
        kept.mails.push(Mail { number, at, from, to, subject, headers, text, html, raw });
        number
    }

    /// Serves SMTP on the address. Must be called inside a tokio runtime.
    pub async fn listen(&self, address: SocketAddr) -> std::io::Result<Post> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let until = CancellationToken::new();
        let (mailbox, ended) = (self.clone(), until.clone());
        let task = tokio::spawn(async move {
            ended.run_until_cancelled(mailbox.accept(listener, ended.clone())).await;
        });
        Ok(Post { address, until: until.drop_guard(), task })
    }

    async fn accept(&self, listener: TcpListener, until: CancellationToken) {
        loop {
            match listener.accept().await {
                Ok((stream, _)) => {
                    let talk = self.clone().talk(stream, until.clone());
                    tokio::spawn(talk);
                }
                // Out of descriptors, most likely: others will close soon, so give them the turn.
                Err(_) => tokio::task::yield_now().await,
            }
        }
    }

    async fn talk(self, stream: TcpStream, until: CancellationToken) {
        let conversation = smtp::Conversation::new(stream, self);
        if let Some(Err(error)) = until.run_until_cancelled(conversation.run()).await {
            tracing::debug!(%error, "a mail client went away in the middle of a sentence");
        }
    }

    /// Serves the pages on the address.
    pub fn show(&self, address: SocketAddr) -> std::io::Result<Served> {
        Served::start(address, pages::routes(self))
    }
}

/// The running SMTP server. Dropping it closes the socket and every conversation.
pub struct Post {
    address: SocketAddr,
    until: DropGuard,
    task: JoinHandle<()>,
}

impl Post {
    /// Where it really listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops and returns when the socket is closed.
    pub async fn stop(self) {
        drop(self.until);
        if let Err(error) = self.task.await {
            tracing::warn!(%error, "the mailbox ended badly");
        }
    }
}

#[cfg(test)]
mod tests;
