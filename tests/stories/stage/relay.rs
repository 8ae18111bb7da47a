//! What may stand between the service and a vault: a proxy, and a web server with a certificate of its own.
//!
//! Must hold: what is passed on is recorded as it was received; one request a connection, so that none slips through
//! unseen; where it leads is said later, since the vault's port is known only when the stage stands.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A relay on loopback. It ends with the process.
#[derive(Clone)]
pub struct Relay {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    leads_to: Arc<Mutex<Option<String>>>,
    refuses: Arc<AtomicBool>,
}

impl Relay {
    /// A proxy for plain HTTP: the address to go to stands in each request.
    pub fn proxy() -> Self {
        Self::listening(Some)
    }

    /// A proxy for what is encrypted: it is told a host and a port, and passes on bytes that it cannot read.
    pub fn tunnel() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self::at(&listener);
        let own = relay.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let own = own.clone();
                std::thread::spawn(move || own.connect(stream.unwrap()));
            }
        });
        relay
    }

    /// Does a tunnel say no to everybody from now on?
    pub fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// A web server with a certificate of the tests' own authority, for `localhost`; see `tests/fixtures/tls`.
    pub fn encrypted() -> Self {
        let chain = vec![CertificateDer::from_pem_file(fixture("server.pem")).unwrap()];
        let key = PrivateKeyDer::from_pem_file(fixture("server-key.pem")).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth().with_single_cert(chain, key).unwrap();
        let config = Arc::new(config);
        Self::listening(move |stream| {
            let mut server = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = stream;
            // A client that does not trust the certificate hangs up here.
            server.complete_io(&mut stream).ok()?;
            Some(StreamOwned::new(server, stream))
        })
    }

    fn listening<S: Read + Write>(welcome: impl Fn(TcpStream) -> Option<S> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self::at(&listener);
        let (own, welcome) = (relay.clone(), Arc::new(welcome));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (own, welcome) = (own.clone(), Arc::clone(&welcome));
                // A connection that ends in the middle is the service's own affair.
                std::thread::spawn(move || welcome(stream.unwrap()).map(|stream| own.pass_on(stream)));
            }
        });
        relay
    }

    fn at(listener: &TcpListener) -> Self {
        Self {
            address: listener.local_addr().unwrap(),
            seen: Arc::default(),
            leads_to: Arc::default(),
            refuses: Arc::default(),
        }
    }

    /// Opens a way to the host that is named, and copies in both directions until either side ends.
    fn connect(&self, mut near: TcpStream) -> Option<()> {
        let (head, _) = request(&mut near)?;
        self.seen.lock().unwrap().push(head.clone());
        if self.refuses.load(Ordering::SeqCst) {
            return near.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n").ok();
        }
        let host = head.strip_prefix("CONNECT ")?.split(' ').next()?;
        let mut far = TcpStream::connect(host).ok()?;
        near.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").ok()?;
        let (mut back, mut from) = (near.try_clone().ok()?, far.try_clone().ok()?);
        std::thread::spawn(move || {
            // A side that ends in the middle is its own affair.
            let _ = std::io::copy(&mut from, &mut back);
            let _ = back.shutdown(Shutdown::Both);
        });
        let _ = std::io::copy(&mut near, &mut far);
        far.shutdown(Shutdown::Both).ok()
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Requests without an address of their own go to this host and port.
    pub fn leads_to(&self, host: &str) {
        *self.leads_to.lock().unwrap() = Some(host.to_owned());
    }

    /// The heads of all requests so far, as received.
    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    fn pass_on(&self, mut near: impl Read + Write) -> Option<()> {
        let (head, body) = request(&mut near)?;
        self.seen.lock().unwrap().push(head.clone());
        let (line, rest) = head.split_once("\r\n")?;
        let (method, target) = line.split_once(' ')?;
        let (host, target) = match target.strip_prefix("http://") {
            Some(whole) => {
                let (host, path) = whole.split_once('/')?;
                (host.to_owned(), format!("/{path}"))
            }
            None => (self.leads_to.lock().unwrap().clone()?, target.to_owned()),
        };
        let mut far = TcpStream::connect(host).ok()?;
        write!(far, "{method} {target}\r\nConnection: close\r\n{rest}\r\n\r\n").ok()?;
        far.write_all(&body).ok()?;
        let mut answer = Vec::new();
        far.read_to_end(&mut answer).ok()?;
        near.write_all(&answer).ok()?;
        near.flush().ok()
    }
}

/// A file of `tests/fixtures/tls`.
pub fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/tls").join(name)
}

/// Head and body of one request.
fn request(from: &mut impl Read) -> Option<(String, Vec<u8>)> {
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
            });
            if bytes.len() >= end + 4 + length.unwrap_or(0) {
                return Some((head, bytes.split_off(end + 4)));
            }
        }
        match from.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(count) => bytes.extend_from_slice(&buffer[..count]),
        }
    }
}
