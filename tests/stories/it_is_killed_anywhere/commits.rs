//! A relay to PostgreSQL that counts each COMMIT and may let one be the last thing that its client has said.
//!
//! Must hold: bytes are passed on as they come; only the beginning of each message of the client is looked at (type,
//! length, text; PostgreSQL documentation, "Message Formats").

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// When a COMMIT is the last one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Last {
    Never,
    /// The server does not get it.
    Unsent(u64),
    /// The server carries it out; its answer is kept back.
    Unanswered(u64),
}

/// The relay on loopback. It ends with the process.
#[derive(Clone)]
pub struct Commits {
    seen: Arc<AtomicU64>,
    reached: Arc<AtomicBool>,
    last: Arc<Mutex<Last>>,
    url: String,
}

impl Commits {
    /// A relay to the server of this address.
    pub fn to(url: &str, last: Last) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (who, place) = rest.split_once('@').unwrap();
        let (host, database) = place.split_once('/').unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = listener.local_addr().unwrap();
        let relay = Self {
            seen: Arc::default(),
            reached: Arc::default(),
            last: Arc::new(Mutex::new(last)),
            url: format!("{scheme}://{who}@{near}/{database}"),
        };
        let (own, host) = (relay.clone(), host.to_owned());
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (own, host) = (own.clone(), host.clone());
                // A connection that ends in the middle is what this is for.
                std::thread::spawn(move || own.between(client.ok()?, TcpStream::connect(host).ok()?));
            }
        });
        relay
    }

    /// The address that leads through the relay.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// How many there were so far.
    pub fn seen(&self) -> u64 {
        self.seen.load(Ordering::SeqCst)
    }

    /// Has the last one come? Then its client waits, to be killed.
    pub fn is_reached(&self) -> bool {
        self.reached.load(Ordering::SeqCst)
    }

    /// From now on everything is passed on.
    pub fn no_more(&self) {
        *self.last.lock().unwrap() = Last::Never;
        self.reached.store(false, Ordering::SeqCst);
    }

    fn between(&self, mut client: TcpStream, mut server: TcpStream) -> Option<()> {
        let (mut answers, mut back) = (server.try_clone().ok()?, client.try_clone().ok()?);
        let muted = Arc::new(AtomicBool::new(false));
        let silent = Arc::clone(&muted);
        std::thread::spawn(move || {
            let mut bytes = [0_u8; 16_384];
            while let Ok(many @ 1..) = answers.read(&mut bytes) {
                if silent.load(Ordering::SeqCst) {
                    continue;
                }
                if back.write_all(&bytes[..many]).is_err() {
                    break;
                }
            }
            let _ = back.shutdown(Shutdown::Both);
        });
        // The first messages have no type: a wish for TLS, which the server declines, and the greeting.
        let mut greeted = false;
        loop {
            let (message, is_commit) =
                if greeted { typed(&mut client)? } else { (untyped(&mut client)?, false) };
            greeted = greeted || message.len() > 8;
            if is_commit {
                match self.next() {
                    Fate::PassedOn => {}
                    Fate::Dropped => {
                        self.reached.store(true, Ordering::SeqCst);
                        wait_for_the_end(&mut client);
                        return server.shutdown(Shutdown::Both).ok();
                    }
                    Fate::Muted => {
                        muted.store(true, Ordering::SeqCst);
                        server.write_all(&message).ok()?;
                        self.reached.store(true, Ordering::SeqCst);
                        wait_for_the_end(&mut client);
                        // Said after the COMMIT, so that the server has carried it out before it hears of the end.
                        return server.shutdown(Shutdown::Write).ok();
                    }
                }
            }
            server.write_all(&message).ok()?;
        }
    }

    fn next(&self) -> Fate {
        let here = self.seen.fetch_add(1, Ordering::SeqCst) + 1;
        match *self.last.lock().unwrap() {
            Last::Unsent(last) if last == here => Fate::Dropped,
            Last::Unanswered(last) if last == here => Fate::Muted,
            Last::Never | Last::Unsent(_) | Last::Unanswered(_) => Fate::PassedOn,
        }
    }
}

enum Fate {
    PassedOn,
    Dropped,
    Muted,
}

/// Nothing more is heard of a client that is being killed.
fn wait_for_the_end(client: &mut TcpStream) {
    let mut rest = [0_u8; 1_024];
    while matches!(client.read(&mut rest), Ok(1..)) {}
}

fn untyped(client: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0_u8; 4];
    client.read_exact(&mut length).ok()?;
    let mut message = length.to_vec();
    message.resize(usize::try_from(u32::from_be_bytes(length)).ok()?, 0);
    client.read_exact(&mut message[4..]).ok()?;
    Some(message)
}

fn typed(client: &mut TcpStream) -> Option<(Vec<u8>, bool)> {
    let mut kind = [0_u8; 1];
    client.read_exact(&mut kind).ok()?;
    let rest = untyped(client)?;
    let is_commit = kind == *b"Q" && rest[4..].to_ascii_uppercase().starts_with(b"COMMIT");
    Some(([kind.as_slice(), &rest].concat(), is_commit))
}
