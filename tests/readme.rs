//! The README's first configuration is read by the service as it stands there, and so is that of the compose set-up;
//! the tests that the README names are there.
#![expect(clippy::unwrap_used, reason = "a README that cannot be read is a failed test")]

use std::path::Path;
use std::time::Duration;

use countersign::config::world::Unfetched;
use countersign::config::{Product, Settings, World};
use countersign::domain::request::{Request, RequestContext};
use countersign::domain::strict_json;

/// A world in which every variable that the README exports is set, and every secret of `docker/make-secrets` made.
struct Exported;

impl World for Exported {
    fn env(&self, name: &str) -> Result<String, Unfetched> {
        match name {
            "HR_WEBHOOK_SECRET" => Ok("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDAAECAwQFBgc=".to_owned()),
            "COUNTERSIGN_READER_TOKEN" => Ok("reader-token-of-some-length".to_owned()),
            "VAULT_CLIENT_SECRET" => Ok("secret".to_owned()),
            _ => Err(Unfetched::NotSet),
        }
    }

    fn file(&self, path: &Path) -> Result<String, Unfetched> {
        let secret = match path.strip_prefix("/run/secrets").ok().and_then(Path::to_str) {
            Some("pvwa" | "client_secret") => "secret",
            Some("database_url") => return Ok(made_database_url()),
            Some("webhook_secret") => return self.env("HR_WEBHOOK_SECRET"),
            Some("reader_token") => return self.env("COUNTERSIGN_READER_TOKEN"),
            _ => return Err(Unfetched::NotFound),
        };
        Ok(secret.to_owned())
    }

    fn output(&self, _: &str, _: &[String], _: Duration) -> Result<String, Unfetched> {
        Err(Unfetched::Failed)
    }
}

/// The address that `docker/make-secrets` writes, with some password in it.
fn made_database_url() -> String {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/make-secrets");
    let text = std::fs::read_to_string(script).unwrap();
    text.split('\'').find(|part| part.starts_with("postgres://")).unwrap().replace("%s", "secret")
}

fn block(language: &str) -> String {
    blocks(language).remove(0)
}

fn blocks(language: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    let parts = text.split(&fence).skip(1);
    parts.map(|rest| rest.split_once("```").unwrap().0.to_owned()).collect()
}

#[test]
fn the_first_configuration_is_read_as_it_stands() {
    let settings = Settings::from_toml(&block("toml"), "countersign.toml", &Exported);
    settings.unwrap_or_else(|faults| panic!("{faults:#?}"));
}

#[test]
fn the_target_of_ones_own_fits_into_the_first_configuration() {
    let (whole, own) = (block("toml"), blocks("toml").remove(1));
    let (before, rest) = whole.split_once("[[targets]]").unwrap();
    let (_, after) = rest.split_once("[[approver_groups]]").unwrap();
    let text = format!("{before}{own}[[approver_groups]]{after}");
    let settings = Settings::from_toml(&text, "countersign.toml", &Exported);
    let settings = settings.unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert!(matches!(settings.targets[0].product, Product::SelfHosted(_)));
    assert!(settings.targets[0].proxy.is_some() && settings.targets[0].ca_file.is_some());
}

#[test]
fn the_compose_set_up_is_read_and_lets_somebody_sign_in() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docker/countersign.toml");
    let settings =
        Settings::from_toml(&std::fs::read_to_string(file).unwrap(), "countersign.toml", &Exported);
    let settings = settings.unwrap_or_else(|faults| panic!("{faults:#?}"));
    // It listens on more than loopback, where the console opens for nobody who has not signed in.
    assert!(!settings.http.listen.ip().is_loopback());
    assert!(!settings.operators.members.is_empty());
}

#[test]
fn the_example_request_is_a_request() {
    let json = strict_json::parse(block("json").as_bytes()).unwrap();
    let request = Request::parse(&json, &RequestContext { default_zone: None }).unwrap();
    assert!(request.not_available_yet().is_empty());
}

/// Every test that stands under `tests`: the modules of the stories, and the functions that are run.
fn tests() -> (Vec<String>, Vec<String>) {
    let (mut modules, mut functions) = (Vec::new(), Vec::new());
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                modules.push(path.file_name().unwrap().to_str().unwrap().to_owned());
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                modules.push(path.file_stem().unwrap().to_str().unwrap().to_owned());
                functions.extend(told_in(&std::fs::read_to_string(path).unwrap()));
            }
        }
    }
    (modules, functions)
}

/// A function is run when it says so itself or when a list of stories names it.
fn told_in(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let mut told = Vec::new();
    for (place, line) in lines.iter().enumerate() {
        let named = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        let Some((name, _)) = named.and_then(|rest| rest.split_once('(')) else { continue };
        let says_so = lines[..place]
            .iter()
            .rev()
            .take_while(|line| line.starts_with("#["))
            .any(|line| line.starts_with("#[test]") || line.starts_with("#[tokio::test"));
        if says_so || lines.contains(&name) {
            told.push(name.to_owned());
        }
    }
    told
}

#[test]
fn every_test_that_the_promises_name_is_there() {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let (_, promises) = text.split_once("## What it promises").unwrap();
    let (modules, functions) = tests();
    let mut seen = 0;
    for name in promises
        .lines()
        .filter(|line| line.starts_with("| "))
        .flat_map(|line| line.split('`').skip(1).step_by(2))
    {
        let name = name.trim_start_matches('…').trim_start_matches("::");
        let (path, last) = name.rsplit_once("::").map_or((None, name), |(path, last)| (Some(path), last));
        if last == "tests/stories" {
            continue;
        }
        let last = last.trim_start_matches("tests/").trim_end_matches(".rs");
        let known = |name: &str| modules.iter().chain(&functions).any(|known| known == name);
        assert!(known(last), "the README names {name}, which is not there");
        for part in path.into_iter().flat_map(|path| path.split("::")) {
            let part = part.trim_start_matches("tests/").trim_end_matches(".rs");
            assert!(modules.iter().any(|module| module == part), "the README names {part} in {name}");
        }
        seen += 1;
    }
    assert!(seen > 25, "only {seen} tests are named");
}
