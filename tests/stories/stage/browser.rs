//! A real browser: Chromium under chromedriver, one of each for a story.
//!
//! Must hold: the driver is ended with the story, whatever became of it; the browser keeps nothing, asks nobody else,
//! and shows a page as a phone or a desk does, in light or dark, with scripts or without.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use thirtyfour::ChromeCapabilities;
use thirtyfour::prelude::*;

use super::process::until;

/// Whether the browser runs scripts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    Run,
    Off,
}

/// On what a page is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Screen {
    Phone,
    Desk,
}

/// A running browser.
pub struct Browser {
    pub driver: WebDriver,
    process: Child,
    address: String,
    client: reqwest::Client,
    _profile: TempDir,
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn capabilities(scripts: Scripts, screen: Screen, profile: &TempDir) -> ChromeCapabilities {
    let mut wanted = DesiredCapabilities::chrome();
    wanted.set_binary("/usr/bin/chromium").unwrap();
    let (width, height) = match screen {
        Screen::Phone => (390, 844),
        Screen::Desk => (1280, 900),
    };
    let profile = format!("--user-data-dir={}", profile.path().display());
    let size = format!("--window-size={width},{height}");
    for argument in [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-quic",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        // A page that scrolls gently is still on its way when the driver clicks.
        "--force-prefers-reduced-motion",
        &profile,
        &size,
    ] {
        wanted.add_arg(argument).unwrap();
    }
    if screen == Screen::Phone {
        let metrics = json!({ "width": width, "height": height, "pixelRatio": 2.0, "touch": true });
        wanted.add_experimental_option("mobileEmulation", json!({ "deviceMetrics": metrics })).unwrap();
    }
    if scripts == Scripts::Off {
        let off = json!({ "profile.managed_default_content_settings.javascript": 2 });
        wanted.add_experimental_option("prefs", off).unwrap();
    }
    wanted.set("goog:loggingPrefs", json!({ "browser": "ALL" })).unwrap();
    wanted
}

impl Browser {
    pub async fn begin(scripts: Scripts, screen: Screen) -> Self {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let process = Command::new("chromedriver")
            .arg(format!("--port={free}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver is installed");
        let address = format!("http://127.0.0.1:{free}");
        let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).no_proxy().build().unwrap();
        let status = format!("{address}/status");
        until("chromedriver", async || {
            client.get(&status).send().await.ok().filter(|it| it.status().is_success())
        })
        .await;
        let profile = tempfile::tempdir().unwrap();
        let driver = WebDriver::new(&address, capabilities(scripts, screen, &profile)).await.unwrap();
        Self { driver, process, address, client, _profile: profile }
    }

    pub async fn open(&self, url: &str) {
        self.driver.goto(url).await.unwrap();
    }

    /// Waits until an element that this selector finds shows this text. Find and read are tried again together, since
    /// an element that is being replaced is found and lost.
    pub async fn shows(&self, selector: &str, words: &str) -> String {
        until(&format!("{words} in {selector}"), async || {
            let text = self.driver.find(By::Css(selector)).await.ok()?.text().await.ok()?;
            text.contains(words).then_some(text)
        })
        .await
    }

    pub async fn click(&self, selector: &str) {
        let button = self.driver.find(By::Css(selector)).await.unwrap();
        button.scroll_into_view().await.ok();
        button.click().await.unwrap();
    }

    /// A press of the mouse that needs no script: the driver's own click waits for one, and waits for ever where scripts
    /// are off.
    pub async fn press(&self, selector: &str) {
        let document = self.command("DOM.getDocument", json!({})).await["root"]["nodeId"].clone();
        let find = json!({ "nodeId": document, "selector": selector });
        let node = json!({ "nodeId": self.command("DOM.querySelector", find).await["nodeId"] });
        self.command("DOM.scrollIntoViewIfNeeded", node.clone()).await;
        let quads = self.command("DOM.getContentQuads", node).await;
        let corner = |place: usize| quads["quads"][0][place].as_f64().expect("the element can be seen");
        let (x, y) = (f64::midpoint(corner(0), corner(4)), f64::midpoint(corner(1), corner(5)));
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({ "type": kind, "x": x, "y": y, "button": "left", "clickCount": 1 });
            self.command("Input.dispatchMouseEvent", event).await;
        }
    }

    /// The value of an attribute of the first element.
    pub async fn attribute(&self, selector: &str, name: &str) -> Option<String> {
        self.driver.find(By::Css(selector)).await.ok()?.attr(name.to_owned()).await.ok()?
    }

    /// Asks the browser itself, past the page.
    pub async fn command(&self, command: &str, parameters: Value) -> Value {
        let url = format!("{}/session/{}/goog/cdp/execute", self.address, self.driver.session_id());
        let asked = json!({ "cmd": command, "params": parameters });
        let answer = self.client.post(url).json(&asked).send().await.unwrap();
        answer.json::<Value>().await.unwrap()["value"].take()
    }

    /// Shows pages as to somebody who prefers `light` or `dark`.
    pub async fn prefer(&self, scheme: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        self.command("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// The whole page as a picture, however long.
    pub async fn picture(&self) -> Vec<u8> {
        use base64::Engine as _;
        let wanted = json!({ "format": "png", "captureBeyondViewport": true });
        let taken = self.command("Page.captureScreenshot", wanted).await;
        base64::engine::general_purpose::STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// What the browser complained about: refused styles and scripts, faults of scripts.
    pub async fn complaints(&self) -> Vec<String> {
        let log = self.driver.browser_log().await.unwrap();
        log.into_iter().map(|entry| format!("{entry:?}")).collect()
    }

    pub async fn end(self) {
        self.driver.clone().quit().await.unwrap();
    }
}
