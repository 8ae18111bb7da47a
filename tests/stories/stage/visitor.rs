//! Somebody's browser without a window: it keeps its cookies, and sends forms as a page of ours does.

use std::cell::RefCell;
use std::collections::BTreeMap;

use reqwest::RequestBuilder;

use super::app::{Choices, Stage};
use super::approvers::Whole;

impl Choices {
    /// Whoever opens a link signs in with a code first; olga may act on the console and vic may look.
    pub fn with_codes() -> Self {
        let people = "mail = [\"pam-team@example.com\"]\nmembers = [\"olga@example.com\"]\nviewers = [\"vic@example.com\"]";
        Self::edited(&[(
            "mail = [\"pam-team@example.com\"]",
            &format!("{people}\n[sign_in]\nmode = \"code\""),
        )])
    }
}

/// A browser with its cookies, by name.
pub struct Visitor<'s> {
    pub stage: &'s Stage,
    pub cookies: RefCell<BTreeMap<String, String>>,
}

impl Stage {
    /// A browser that has been nowhere yet.
    pub fn visitor(&self) -> Visitor<'_> {
        Visitor { stage: self, cookies: RefCell::default() }
    }

    /// The code in the newest mail to somebody.
    pub fn code(&self, address: &str) -> String {
        let mails = self.simulator.mailbox.mails_to(address);
        let text = mails.iter().rev().filter_map(|mail| mail.text.as_ref()).find_map(|text| {
            let line = text.lines().map(str::trim).find(|line| line.len() == 6 && is_digits(line));
            line.map(str::to_owned)
        });
        text.unwrap_or_else(|| panic!("{address} got no code"))
    }

    /// How many codes were mailed to somebody.
    pub fn codes(&self, address: &str) -> usize {
        let mails = self.simulator.mailbox.mails_to(address);
        mails.iter().filter(|mail| mail.subject.contains("sign-in code")).count()
    }
}

fn is_digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Six digits that are not the code.
pub fn another_code(code: &str) -> String {
    let last = code.bytes().last().unwrap();
    format!("{}{}", &code[..5], if last == b'9' { '0' } else { char::from(last + 1) })
}

impl Visitor<'_> {
    /// The same link at the address where the service listens; what stands before it is for the proxy to know.
    fn here(&self, url: &str) -> String {
        let origin = self.stage.origin();
        url.strip_prefix(&origin).map_or_else(|| url.to_owned(), |path| format!("{}{path}", self.stage.url))
    }

    async fn take(&self, request: RequestBuilder) -> Whole {
        let kept: Vec<String> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = if kept.is_empty() { request } else { request.header("Cookie", kept.join("; ")) };
        let answer = self.stage.whole(request).await;
        for set in answer.headers.get_all("set-cookie") {
            let (pair, rest) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if rest.contains("Max-Age=0") {
                self.cookies.borrow_mut().remove(name);
            } else {
                self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned());
            }
        }
        answer
    }

    pub async fn open(&self, url: &str) -> Whole {
        self.take(self.stage.browser.get(self.here(url))).await
    }

    pub async fn post(&self, url: &str, fields: &[(&str, &str)]) -> Whole {
        let origin = self.stage.origin();
        self.take(self.stage.browser.post(self.here(url)).header("Origin", origin).form(fields)).await
    }

    /// Sends a form as a page under another address would.
    pub async fn post_from(&self, origin: &str, url: &str, fields: &[(&str, &str)]) -> Whole {
        self.take(self.stage.browser.post(url).header("Origin", origin).form(fields)).await
    }

    /// Asks for a code behind a personal link, and the mail goes out.
    pub async fn ask(&self, link: &str) -> Whole {
        let answer = self.post(&format!("{link}/code"), &[]).await;
        self.stage.settle().await;
        answer
    }

    /// Types an address at the general way in, as a proxy passes it on for a client; the mail goes out.
    pub async fn types(&self, address: &str, client: &str) -> Whole {
        let request = self.stage.browser.post(format!("{}/sign-in/code", self.stage.url));
        let request = request.header("Origin", self.stage.origin()).header("X-Forwarded-For", client);
        let answer = self.take(request.form(&[("address", address)])).await;
        self.stage.settle().await;
        answer
    }

    /// Asks for a code behind a personal link, as a proxy passes it on from this client.
    pub async fn asks_from(&self, link: &str, client: &str) -> Whole {
        let request = self.stage.browser.post(self.here(&format!("{link}/code")));
        let request = request.header("Origin", self.stage.origin()).header("X-Forwarded-For", client);
        let answer = self.take(request).await;
        self.stage.settle().await;
        answer
    }

    pub async fn enter(&self, link: &str, code: &str) -> Whole {
        self.post(&format!("{link}/sign-in"), &[("code", code)]).await
    }

    /// Signs in behind a personal link.
    pub async fn sign_in(&self, link: &str, address: &str) {
        assert_eq!(self.ask(link).await.status, 303);
        let answer = self.enter(link, &self.stage.code(address)).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
    }

    /// Presses a button of the approval page.
    pub async fn decide(&self, link: &str, decision: &str) -> Whole {
        let page = self.open(link).await.body;
        let hidden = |name: &str| {
            let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\"")).expect("a form");
            rest.split_once('"').unwrap().0.to_owned()
        };
        let (digest, token) = (hidden("digest"), hidden("form_token"));
        let fields = [("decision", decision), ("comment", "no"), ("digest", &digest), ("form_token", &token)];
        self.post(&format!("{link}/decision"), &fields).await
    }
}
