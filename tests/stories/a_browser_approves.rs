//! A real browser opens the link, reads, clicks, and sees the run to its end: on a phone and at a desk, with scripts and
//! without, by hand and by keyboard alone.
//!
//! Lines 6 and 24 of the approval checklist.

use std::path::PathBuf;

use thirtyfour::prelude::*;

use crate::stage::{Browser, Database, Screen, Scripts, Stage, until};

const APPROVE: &str = "button[value=approve]";
const REJECT: &str = "button[value=reject]";

async fn asked() -> (Stage, String, String) {
    let stage = Stage::begin(Database::sqlite()).await;
    let workflow = stage.hire_told(|_| ()).await;
    let link = stage.link("ana@example.com");
    (stage, workflow, link)
}

pub(crate) async fn assert_no_complaints(browser: &Browser) {
    let mut complaints = browser.complaints().await;
    // The fragment of the progress, opened by itself, names no icon; and a form that came back says so by its status.
    let expected = ["/favicon.ico", "with a status of 422"];
    complaints.retain(|complaint| !expected.iter().any(|known| complaint.contains(known)));
    assert!(complaints.is_empty(), "{complaints:#?}");
}

/// With scripts the page follows the run by itself: its address is loaded once.
async fn by_clicking(screen: Screen) {
    let (stage, workflow, link) = asked().await;
    let browser = Browser::begin(Scripts::Run, screen).await;
    browser.open(&link).await;
    browser.shows("h1", "New vault user for Zoë O'Brien").await;
    assert!(browser.shows("#decision", "Your answer").await.contains("Yours is the last yes"));
    browser.click(APPROVE).await;
    browser.shows("#progress .headline", "Approved").await;
    assert_eq!(browser.driver.current_url().await.unwrap().as_str(), link);
    let mark = "window.markOfThisLoad = 'still here';";
    browser.driver.execute(mark, vec![]).await.unwrap();
    stage.settle().await;
    let end = browser.shows("#progress", "Done and verified").await;
    assert!(end.contains("Read back and compare") && end.contains("A fresh read of the vault"), "{end}");
    let still = browser.driver.execute("return window.markOfThisLoad;", vec![]).await.unwrap();
    assert_eq!(still.json(), "still here", "the page was not loaded anew");
    assert_eq!(browser.attribute("#progress [data-state]", "data-state").await.as_deref(), Some("succeeded"));
    // Somebody who listens is told the same.
    until("the spoken state", async || {
        let said =
            browser.driver.execute("return document.getElementById('said').textContent;", vec![]).await;
        said.unwrap().json().as_str().filter(|said| said.contains("Done and verified")).map(str::to_owned)
    })
    .await;
    assert_no_complaints(&browser).await;
    browser.end().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn the_whole_approval_by_clicking_on_a_phone() {
    by_clicking(Screen::Phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn the_whole_approval_by_clicking_at_a_desk() {
    by_clicking(Screen::Desk).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn without_scripts_the_page_refreshes_itself() {
    let (stage, workflow, link) = asked().await;
    let browser = Browser::begin(Scripts::Off, Screen::Phone).await;
    browser.open(&link).await;
    browser.shows("h1", "New vault user for Zoë O'Brien").await;
    // A no without words comes back with the complaint beside the field.
    browser.press(REJECT).await;
    browser.shows("[role=alert]", "Please say in a few words why you reject").await;
    browser.press(APPROVE).await;
    browser.shows("#progress .headline", "Approved").await;
    stage.settle().await;
    // Nobody touches the page from here on.
    browser.shows("#progress .headline", "Done and verified").await;
    assert_no_complaints(&browser).await;
    browser.end().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

/// Tab after Tab, until the focus is where it is wanted; each stop on the way can be seen.
async fn tab_to(browser: &Browser, selector: &str) {
    let wanted = browser.driver.find(By::Css(selector)).await.unwrap();
    for _ in 0..40 {
        browser.driver.action_chain().send_keys(Key::Tab).perform().await.unwrap();
        let focused = browser.driver.active_element().await.unwrap();
        let outline = focused.css_value("outline-style").await.unwrap();
        assert_ne!(outline, "none", "the focus cannot be seen on {:?}", focused.outer_html().await);
        if focused == wanted {
            return;
        }
    }
    panic!("Tab does not lead to {selector}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn the_whole_approval_by_keyboard_alone() {
    let (stage, workflow, link) = asked().await;
    let browser = Browser::begin(Scripts::Run, Screen::Desk).await;
    browser.open(&link).await;
    tab_to(&browser, "a.skip").await;
    tab_to(&browser, "details summary").await;
    browser.driver.action_chain().send_keys(Key::Enter).perform().await.unwrap();
    browser.shows("details[open] .calls", "GET").await;
    tab_to(&browser, "#comment").await;
    browser.driver.action_chain().send_keys("typed by hand").perform().await.unwrap();
    tab_to(&browser, APPROVE).await;
    browser.driver.action_chain().send_keys(Key::Enter).perform().await.unwrap();
    browser.shows("#progress .headline", "Approved").await;
    stage.settle().await;
    browser.shows("#progress .headline", "Done and verified").await;
    assert_no_complaints(&browser).await;
    browser.end().await;
    let told = stage.api(&format!("/{workflow}")).await;
    assert_eq!(told["decisions"][0]["comment"], "typed by hand");
}

/// Line 6: a scanner that runs scripts and follows whatever moves by itself decides nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn a_browser_that_only_looks_decides_nothing() {
    let (stage, workflow, link) = asked().await;
    let before = stage.tables().await;
    let browser = Browser::begin(Scripts::Run, Screen::Desk).await;
    for url in [
        &link,
        &format!("{link}/decision"),
        &format!("{link}?decision=approve"),
        &format!("{link}/progress"),
        &link,
    ] {
        browser.open(url).await;
        browser.driver.execute("window.scrollTo(0, document.body.scrollHeight);", vec![]).await.unwrap();
    }
    // Every link on the page that leads somewhere of ours is followed, as scanners do.
    let links = browser.driver.find_all(By::Css("a[href]")).await.unwrap();
    let mut followed = 0;
    for found in links {
        if let Some(href) = found.prop("href").await.unwrap() {
            stage.open(&href).await;
            followed += 1;
        }
    }
    assert!(followed > 0);
    // The page has had time to do something by itself: its stream is open and the script has run.
    let ready = "return document.readyState === 'complete' && performance.now() > 2500;";
    until("a while", async || {
        browser.driver.execute(ready, vec![]).await.ok()?.json().as_bool().filter(|done| *done)
    })
    .await;
    assert_no_complaints(&browser).await;
    browser.end().await;
    assert_eq!(stage.tables().await, before);
    stage.settle().await;
    assert_eq!((stage.state(&workflow).await.as_str(), stage.decisions().await), ("pending_approval", 0));
}

async fn assert_well_built(browser: &Browser) {
    let driver = &browser.driver;
    assert_eq!(browser.attribute("html", "lang").await.as_deref(), Some("en"));
    assert_eq!(driver.find_all(By::Css("h1")).await.unwrap().len(), 1);
    assert_eq!(driver.find_all(By::Css("main")).await.unwrap().len(), 1);
    assert!(!driver.title().await.unwrap().is_empty());
    let mut level = 0;
    for heading in driver.find_all(By::Css("h1, h2, h3, h4, h5, h6")).await.unwrap() {
        let this: u32 = heading.tag_name().await.unwrap()[1..].parse().unwrap();
        assert!(this <= level + 1, "h{this} after h{level}: {}", heading.text().await.unwrap());
        level = this;
    }
    for field in driver.find_all(By::Css("input:not([type=hidden]), textarea, select")).await.unwrap() {
        let id = field.attr("id").await.unwrap().expect("a field has an id");
        let label = driver.find(By::Css(format!("label[for='{id}']"))).await.unwrap();
        assert!(!label.text().await.unwrap().is_empty());
    }
    for section in driver.find_all(By::Css("[aria-labelledby], [aria-describedby]")).await.unwrap() {
        for name in ["aria-labelledby", "aria-describedby"] {
            for id in section.attr(name).await.unwrap().unwrap_or_default().split_whitespace() {
                assert!(driver.find(By::Id(id)).await.is_ok(), "{name} names {id}, which is not there");
            }
        }
    }
    for image in driver.find_all(By::Css("img")).await.unwrap() {
        assert!(image.attr("alt").await.unwrap().is_some());
    }
    let wide = "return document.documentElement.scrollWidth - document.documentElement.clientWidth;";
    let wide = driver.execute(wide, vec![]).await.unwrap();
    assert_eq!(wide.json(), 0, "nothing has to be scrolled sideways");
}

/// Where pictures of the pages go, for eyes; nowhere unless it is said.
fn album() -> Option<PathBuf> {
    std::env::var_os("COUNTERSIGN_TEST_PICTURES").map(PathBuf::from)
}

pub(crate) async fn look(browser: &Browser, screen: Screen, name: &str) {
    assert_well_built(browser).await;
    for scheme in ["light", "dark"] {
        browser.prefer(scheme).await;
        let picture = browser.picture().await;
        assert!(picture.len() > 10_000, "the page is not empty");
        if let Some(album) = album() {
            std::fs::write(album.join(format!("{name}-{screen:?}-{scheme}.png").to_lowercase()), picture)
                .unwrap();
        }
    }
    // Dark is really dark.
    let paper =
        browser.driver.find(By::Css("body")).await.unwrap().css_value("background-color").await.unwrap();
    let first: u32 = paper.split(['(', ',']).nth(1).unwrap().trim().parse().unwrap();
    assert!(first < 80, "{paper}");
    browser.prefer("light").await;
}

async fn every_page_is_well_built(screen: Screen) {
    let (stage, workflow, link) = asked().await;
    let browser = Browser::begin(Scripts::Run, screen).await;
    browser.open(&link).await;
    look(&browser, screen, "asked").await;
    browser.click(REJECT).await;
    browser.shows("[role=alert]", "Please say in a few words").await;
    look(&browser, screen, "refused").await;
    stage.make_group_anew("Ops-Readers");
    browser.click(APPROVE).await;
    browser.shows("h1", "The vault has changed").await;
    look(&browser, screen, "changed").await;
    stage.settle().await;
    browser.open(&link).await;
    browser.shows("h1", "This plan was replaced").await;
    look(&browser, screen, "replaced").await;
    browser.open(&stage.link("ana@example.com")).await;
    browser.shows("#since-title", "What is new").await;
    look(&browser, screen, "anew").await;
    browser.click(APPROVE).await;
    browser.shows("#progress .headline", "Approved").await;
    look(&browser, screen, "approved").await;
    stage.settle().await;
    browser.shows("#progress .headline", "Done and verified").await;
    look(&browser, screen, "done").await;
    browser.open(&format!("{}/nowhere", stage.url)).await;
    look(&browser, screen, "nowhere").await;
    browser.end().await;
    assert_eq!(stage.state(&workflow).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn every_page_is_well_built_on_a_phone() {
    every_page_is_well_built(Screen::Phone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs chromium and chromedriver; tests/all runs it"]
async fn every_page_is_well_built_at_a_desk() {
    every_page_is_well_built(Screen::Desk).await;
}
