//! A real browser signs in with a code from the mailbox: on a phone and at a desk, with scripts and without; and the
//! recipient of a password fetches it.

use serde_json::json;

use crate::a_browser_approves::look;
use crate::stage::{Browser, Choices, Database, Screen, Scripts, Stage, another_code};

const GO: &str = "button.go";

async fn asked() -> (Stage, String, String) {
    let stage = Stage::with(Database::sqlite(), Choices::with_codes()).await;
    let workflow =
        stage.hire_told(|body| body["employment"]["manager"]["email"] = "max@example.com".into()).await;
    let link = stage.link("ana@example.com");
    (stage, workflow, link)
}

/// Into the field that has the focus, as a keyboard or the phone's own suggestion does.
async fn type_in(browser: &Browser, text: &str) {
    browser.command("Input.insertText", json!({ "text": text })).await;
}

async fn signs_in(stage: &Stage, browser: &Browser, address: &str) {
    browser.shows("h1", "Sign in").await;
    browser.press(GO).await;
    browser.shows("[role=status]", "A mail with a code is on its way").await;
    stage.settle().await;
    type_in(browser, &stage.code(address)).await;
    browser.press(GO).await;
}

async fn the_whole_way(scripts: Scripts, screen: Screen) {
    let (stage, workflow, link) = asked().await;
    let browser = Browser::begin(scripts, screen).await;
    browser.open(&link).await;
    signs_in(&stage, &browser, "ana@example.com").await;
    browser.shows("h1", "New vault user for Zoë O'Brien").await;
    browser.press("button[value=approve]").await;
    browser.shows("#progress .headline", "Approved").await;
    stage.settle().await;
    browser.shows("#progress .headline", "Done and verified").await;
    browser.press(".top button.quiet").await;
    browser.shows("h1", "Sign in").await;
    browser.end().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn somebody_signs_in_and_approves_on_a_phone() {
    the_whole_way(Scripts::Run, Screen::Phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn somebody_signs_in_and_approves_on_a_phone_without_scripts() {
    the_whole_way(Scripts::Off, Screen::Phone).await;
}

async fn every_page_is_well_built(screen: Screen) {
    let (stage, _, link) = asked().await;
    let browser = Browser::begin(Scripts::Run, screen).await;
    let (width, height) = if screen == Screen::Phone { (360, 740) } else { (1200, 900) };
    let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": screen == Screen::Phone });
    browser.command("Emulation.setDeviceMetricsOverride", metrics).await;
    browser.open(&link).await;
    browser.shows("h1", "Sign in").await;
    look(&browser, screen, "sign-in-ask").await;
    browser.press(GO).await;
    browser.shows("[role=status]", "on its way").await;
    look(&browser, screen, "sign-in-enter").await;
    stage.settle().await;
    let code = stage.code("ana@example.com");
    type_in(&browser, &another_code(&code)).await;
    browser.press(GO).await;
    browser.shows("[role=alert]", "4 more tries").await;
    look(&browser, screen, "sign-in-wrong").await;
    type_in(&browser, &code).await;
    browser.press(GO).await;
    browser.shows("#decision", "Your answer").await;
    look(&browser, screen, "sign-in-done").await;
    browser.press("button[value=approve]").await;
    browser.shows("#progress .headline", "Approved").await;
    stage.settle().await;
    let link = stage.link("max@example.com");
    browser.open(&link).await;
    browser.shows("h1", "This link is for another person").await;
    look(&browser, screen, "another-person").await;
    browser.press("button.quiet").await;
    signs_in(&stage, &browser, "max@example.com").await;
    browser.shows("h1", "Initial password").await;
    look(&browser, screen, "password-waits").await;
    browser.press(GO).await;
    let shown = browser.shows(".password", "").await;
    assert!(stage.simulator.vault.password_is(stage.simulator.vault.id_of("zobrien").unwrap(), shown.trim()));
    look(&browser, screen, "password-shown").await;
    browser.open(&link).await;
    browser.shows(GO, "Show it again").await;
    browser.end().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn every_page_of_the_sign_in_is_well_built_on_a_phone() {
    every_page_is_well_built(Screen::Phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn every_page_of_the_sign_in_is_well_built_at_a_desk() {
    every_page_is_well_built(Screen::Desk).await;
}
