//! A vault that says what it was told to say, over real sockets.
//!
//! Must hold: every received call is kept; a route without a script answers 599, so that an unexpected call shows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// One received call.
#[derive(Debug, Clone)]
pub struct Seen {
    pub line: String,
    pub query: String,
    pub head: String,
    pub body: String,
}

impl Seen {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

type By = Arc<dyn Fn(&Seen) -> Reply + Send + Sync>;

/// What is sent back.
#[derive(Clone)]
pub enum Reply {
    Json(u16, Value),
    Raw(u16, String, String),
    Drop,
    By(By),
}

pub fn ok(body: Value) -> Reply {
    Reply::Json(200, body)
}

pub fn html(status: u16) -> Reply {
    Reply::Raw(status, "Content-Type: text/html\r\n".to_owned(), "<html>gateway</html>".to_owned())
}

pub fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::Json(status, json!({ "ErrorCode": code, "ErrorMessage": message }))
}

pub fn by(answer: impl Fn(&Seen) -> Reply + Send + Sync + 'static) -> Reply {
    Reply::By(Arc::new(answer))
}

#[derive(Clone, Default)]
pub struct Script {
    routes: Arc<Mutex<HashMap<String, Vec<Reply>>>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Script {
    /// The answers of one route, such as `GET Users/7`, in order; the last one repeats.
    pub fn on(&self, line: &str, replies: Vec<Reply>) -> &Self {
        self.routes.lock().unwrap().insert(line.to_owned(), replies);
        self
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn lines(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.line).collect()
    }

    /// The bodies that a route received.
    pub fn bodies(&self, line: &str) -> Vec<Value> {
        self.seen().iter().filter(|seen| seen.line == line).map(Seen::json).collect()
    }

    pub fn writes(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| !line.starts_with("GET") && line != "POST token").collect()
    }

    /// Listens on a free port; returns the address.
    pub async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let script = self.clone();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let script = script.clone();
                tokio::spawn(async move { script.serve(stream).await });
            }
        });
        address
    }

    async fn serve(&self, mut stream: TcpStream) {
        let Some(seen) = receive(&mut stream).await else { return };
        self.seen.lock().unwrap().push(seen.clone());
        let mut reply = self.next(&seen.line);
        while let Reply::By(answer) = &reply {
            reply = answer(&seen);
        }
        let (status, headers, body) = match reply {
            Reply::Json(status, body) => (status, String::new(), body.to_string()),
            Reply::Raw(status, headers, body) => (status, headers, body),
            Reply::Drop | Reply::By(_) => return,
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n{headers}\r\n");
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(body.as_bytes()).await;
    }

    fn next(&self, line: &str) -> Reply {
        let mut routes = self.routes.lock().unwrap();
        match routes.get_mut(line) {
            Some(replies) if replies.len() > 1 => replies.remove(0),
            Some(replies) if replies.len() == 1 => replies[0].clone(),
            _ => Reply::Json(599, json!({ "unexpected": line })),
        }
    }
}

async fn receive(stream: &mut TcpStream) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let count = stream.read(&mut buffer).await.ok()?;
        if count == 0 {
            return None;
        }
        bytes.extend_from_slice(&buffer[..count]);
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-length").then(|| value.parse::<usize>().ok())?
        });
        if body.len() < length.unwrap_or(0) {
            continue;
        }
        let mut first = head.lines().next()?.split(' ');
        let (method, target) = (first.next()?, first.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = path.trim_start_matches("/PasswordVault/API/").trim_start_matches('/');
        return Some(Seen {
            line: format!("{method} {path}"),
            query: query.to_owned(),
            head: head.to_owned(),
            body: body.to_owned(),
        });
    }
}
