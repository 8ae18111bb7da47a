//! The people of the stories: HR, the approvers, the operator with the API token.

use countersign::simulator::hr::{self, Joiner};
use reqwest::Response;
use secrecy::SecretString;
use serde_json::Value;

use super::app::{READER, Stage, WEBHOOK_SECRET};

/// An answer with its body read.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        Self { status: response.status().as_u16(), body: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn workflow(&self) -> String {
        self.json()["workflow_id"].as_str().unwrap().to_owned()
    }
}

impl Stage {
    /// A joiner who begins today, with everything that the profile and the rule need.
    #[expect(clippy::unused_self, reason = "a story asks its stage for everything")]
    pub fn joiner(&self) -> Joiner {
        let mut joiner = Joiner::example("RITM0010001:3", "E10442", "2026-12-01");
        "zobrien".clone_into(&mut joiner.username);
        joiner
    }

    /// Posts raw bytes as HR, signed under a delivery id.
    pub async fn post(&self, id: &str, body: &[u8]) -> Answer {
        self.post_to(&self.url, id, body).await
    }

    /// Posts to the service at this address, which may be another replica.
    pub async fn post_to(&self, service: &str, id: &str, body: &[u8]) -> Answer {
        let secret = SecretString::from(WEBHOOK_SECRET);
        let url = format!("{service}/webhooks/hr");
        let answer = hr::post(&url, &secret, id, self.clock.read().timestamp(), body.to_vec()).await.unwrap();
        Answer { status: answer.status, body: answer.body }
    }

    /// Hires the usual joiner; answers the workflow's id.
    pub async fn hire(&self) -> String {
        self.hire_as(&self.joiner()).await
    }

    pub async fn hire_as(&self, joiner: &Joiner) -> String {
        let answer = self.post(&format!("msg_{}", joiner.source_ref), &joiner.bytes()).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        answer.workflow()
    }

    /// The latest link mailed to somebody.
    pub fn link(&self, address: &str) -> String {
        self.simulator.mailbox.links_for(address).pop().unwrap_or_else(|| panic!("{address} got no link"))
    }

    pub async fn get(&self, url: &str) -> Answer {
        Answer::of(self.browser.get(url).send().await.unwrap()).await
    }

    /// Opens a page and answers the hidden fields of its form.
    pub async fn form(&self, link: &str) -> Option<(String, String)> {
        let page = self.get(link).await.body;
        Some((hidden(&page, "digest")?, hidden(&page, "form_token")?))
    }

    /// Opens the page and presses a button.
    pub async fn decide(&self, link: &str, decision: &str, comment: &str) -> Answer {
        let (digest, token) = self.form(link).await.expect("the page offers a decision");
        self.press(link, decision, comment, (&digest, &token)).await
    }

    /// Presses a button of a page that was opened before.
    pub async fn press(&self, link: &str, decision: &str, comment: &str, form: (&str, &str)) -> Answer {
        let fields =
            [("decision", decision), ("comment", comment), ("digest", form.0), ("form_token", form.1)];
        let post =
            self.browser.post(format!("{link}/decision")).header("Origin", self.origin()).form(&fields);
        Answer::of(post.send().await.unwrap()).await
    }

    /// What the JSON API says about a path below `/api/v1/workflows`.
    pub async fn api(&self, path: &str) -> Value {
        let url = format!("{}/api/v1/workflows{path}", self.url);
        let answer = Answer::of(self.browser.get(url).bearer_auth(READER).send().await.unwrap()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub async fn state(&self, workflow: &str) -> String {
        self.api(&format!("/{workflow}")).await["state"].as_str().unwrap().to_owned()
    }

    /// Hire, plan, ask, approve, carry out: as far as it goes by itself.
    pub async fn hire_and_approve(&self) -> String {
        let workflow = self.hire().await;
        self.settle().await;
        let answer = self.decide(&self.link("ana@example.com"), "approve", "").await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        self.settle().await;
        workflow
    }

    /// The vault's writes, by the simulator's own words.
    pub fn writes(&self) -> Vec<String> {
        self.simulator.vault.journal().iter().map(|entry| entry.what.to_owned()).collect()
    }
}

/// The value of a hidden field of a page's form.
pub fn hidden(page: &str, name: &str) -> Option<String> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split_once('"').map(|(value, _)| value.to_owned())
}
