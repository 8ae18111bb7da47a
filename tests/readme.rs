//! The README's first configuration is read by the service as it stands there.
#![expect(clippy::unwrap_used, reason = "a README that cannot be read is a failed test")]

use std::path::Path;
use std::time::Duration;

use countersign::config::world::Unfetched;
use countersign::config::{Product, Settings, World};
use countersign::domain::request::{Request, RequestContext};
use countersign::domain::strict_json;

/// A world in which every variable that the README exports is set.
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
        if path == Path::new("/run/secrets/pvwa") {
            Ok("secret".to_owned())
        } else {
            Err(Unfetched::NotFound)
        }
    }

    fn output(&self, _: &str, _: &[String], _: Duration) -> Result<String, Unfetched> {
        Err(Unfetched::Failed)
    }
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
fn the_example_request_is_a_request() {
    let json = strict_json::parse(block("json").as_bytes()).unwrap();
    let request = Request::parse(&json, &RequestContext { default_zone: None }).unwrap();
    assert!(request.not_available_yet().is_empty());
}
