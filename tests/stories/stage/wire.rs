//! The wire to the PostgreSQL server, with a hand on it: it is cut after a COMMIT has reached the server, or dead.
//!
//! Must hold: a COMMIT whose acknowledgement is lost has been carried out; what the server answers is awaited, and
//! thrown away. Nothing is encrypted, so the messages can be read (the servers of the tests listen on loopback).

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use super::database::Database;

/// The driver's simple query, as the protocol spells it: `Q`, its length, the text, a zero.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What happens to whoever uses the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mood {
    PassesOn,
    /// Every connection ends, and each new one at once.
    Cut,
    /// What is sent goes nowhere.
    Silent,
}

/// A wire on loopback. It ends with the process.
#[derive(Clone)]
pub struct Wire {
    address: SocketAddr,
    far: String,
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    mood: Mood,
    /// So many COMMITs from now, the acknowledgement is lost.
    cut_after: Option<u32>,
    open: Vec<TcpStream>,
}

impl Wire {
    /// A database of its own on the tests' server, reached over a wire.
    pub fn to_postgres() -> (Self, Database) {
        let Database::Postgres { url, schema } = Database::postgres() else {
            unreachable!("it is PostgreSQL")
        };
        let parsed = url::Url::parse(&url).unwrap();
        let far = format!("{}:{}", parsed.host_str().unwrap(), parsed.port().unwrap_or(5432));
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let inner = Inner { mood: Mood::PassesOn, cut_after: None, open: Vec::new() };
        let wire = Self { address: listener.local_addr().unwrap(), far, inner: Arc::new(Mutex::new(inner)) };
        let mut near = parsed;
        near.set_host(Some("127.0.0.1")).unwrap();
        near.set_port(Some(wire.address.port())).unwrap();
        near.set_query(Some("sslmode=disable"));
        let own = wire.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let own = own.clone();
                // A connection that ends in the middle is what this is for.
                std::thread::spawn(move || own.carry(stream.unwrap()));
            }
        });
        (wire, Database::Postgres { url: near.to_string(), schema })
    }

    /// The acknowledgement of the n-th COMMIT from now is lost, with its connection.
    pub fn lose_acknowledgement(&self, nth: u32) {
        self.inner.lock().unwrap().cut_after = Some(nth);
    }

    /// Was one lost since it was asked for? If not, none will be.
    pub fn has_lost(&self) -> bool {
        self.inner.lock().unwrap().cut_after.take().is_none()
    }

    /// The server is away: every connection ends.
    pub fn cut(&self) {
        self.be(Mood::Cut);
    }

    /// The server is there and never answers.
    pub fn fall_silent(&self) {
        self.be(Mood::Silent);
    }

    /// All is as before.
    pub fn mend(&self) {
        self.be(Mood::PassesOn);
    }

    fn be(&self, mood: Mood) {
        let mut inner = self.inner.lock().unwrap();
        let was_silent = inner.mood == Mood::Silent;
        inner.mood = mood;
        if mood == Mood::Cut || was_silent {
            for stream in inner.open.drain(..) {
                // It may have ended by itself.
                let _ = stream.shutdown(Shutdown::Both);
            }
        }
    }

    fn mood(&self) -> Mood {
        self.inner.lock().unwrap().mood
    }

    fn carry(&self, near: TcpStream) -> Option<()> {
        let far = TcpStream::connect(&self.far).ok()?;
        {
            let mut inner = self.inner.lock().unwrap();
            if inner.mood == Mood::Cut {
                return near.shutdown(Shutdown::Both).ok();
            }
            inner.open.extend([near.try_clone().ok()?, far.try_clone().ok()?]);
        }
        let loses = Arc::new(AtomicBool::new(false));
        let (mut back, mut from, is_lost) =
            (near.try_clone().ok()?, far.try_clone().ok()?, Arc::clone(&loses));
        let own = self.clone();
        std::thread::spawn(move || {
            own.copy(&mut from, &mut back, |_| {
                if is_lost.load(Ordering::SeqCst) { Fate::Lost } else { Fate::Sent }
            });
            let _ = back.shutdown(Shutdown::Both);
        });
        let (mut near, mut far) = (near, far);
        self.copy(&mut near, &mut far, |sent| {
            if sent.windows(COMMIT.len()).any(|bytes| bytes == COMMIT) && self.is_the_one() {
                loses.store(true, Ordering::SeqCst);
            }
            Fate::Sent
        });
        far.shutdown(Shutdown::Both).ok()
    }

    fn copy(&self, from: &mut TcpStream, to: &mut TcpStream, fate: impl Fn(&[u8]) -> Fate) {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let piece = &buffer[..count];
            match (self.mood(), fate(piece)) {
                (Mood::Silent, _) => {}
                (Mood::PassesOn, Fate::Sent) if to.write_all(piece).is_ok() => {}
                (Mood::PassesOn | Mood::Cut, _) => return,
            }
        }
    }

    /// Counts a COMMIT.
    fn is_the_one(&self) -> bool {
        let mut inner = self.inner.lock().unwrap();
        match inner.cut_after {
            Some(1) => {
                inner.cut_after = None;
                true
            }
            Some(more) => {
                inner.cut_after = Some(more - 1);
                false
            }
            None => false,
        }
    }
}

enum Fate {
    Sent,
    Lost,
}
