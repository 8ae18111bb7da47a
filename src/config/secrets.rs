//! A secret of the settings: a string, or where to fetch one from.
//!
//! Must hold: a secret lives in a `SecretString` from the moment it is fetched; a fault names the variable, never
//! what was found in it. An empty secret is a fault, because it opens every door that compares against it.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

use super::reader::{Gather, Section};
use super::world::{COMMAND_LIMIT, Unfetched};

const WANTED: &str = "wanted: a string, { env = \"NAME\" }, { file = \"PATH\" } or \
                      { command = [\"program\", \"argument\"] }";

impl Section<'_> {
    /// A secret that may be absent.
    pub fn secret(&self, name: &'static str) -> Option<SecretString> {
        let value = self.value(name)?;
        fetch(self.gather(), &self.key(name), value)
    }

    /// A secret that must be there.
    pub fn needed_secret(&self, name: &'static str) -> Option<SecretString> {
        if self.value(name).is_none() {
            self.fault(name, format!("missing; {WANTED}"));
        }
        self.secret(name)
    }

    /// A list of at least one secret.
    pub fn secrets(&self, name: &'static str) -> Vec<(String, SecretString)> {
        let items = match self.value(name) {
            Some(Value::Array(items)) if !items.is_empty() => items,
            _ => {
                self.fault(name, "missing or empty; wanted: a list of at least one secret");
                return Vec::new();
            }
        };
        let fetched = items.iter().enumerate().filter_map(|(place, item)| {
            let key = self.key(&format!("{name}[{place}]"));
            let secret = fetch(self.gather(), &key, item)?;
            Some((key, secret))
        });
        fetched.collect()
    }
}

fn fetch(gather: &Gather<'_>, key: &str, value: &Value) -> Option<SecretString> {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Table(table) => match fetched(gather, table) {
            Ok(text) => without_line_end(text),
            Err(why) => {
                gather.fault(key, why);
                return None;
            }
        },
        _ => {
            gather.fault(key, WANTED);
            return None;
        }
    };
    let secret = SecretString::from(text);
    if secret.expose_secret().is_empty() {
        gather.fault(key, "is empty; wanted: a secret");
        return None;
    }
    Some(secret)
}

fn fetched(gather: &Gather<'_>, table: &Table) -> Result<String, String> {
    let mut entries = table.iter();
    let (Some((from, value)), None) = (entries.next(), entries.next()) else { return Err(WANTED.to_owned()) };
    let said = |what: &str, why: Unfetched| format!("{what} {why}");
    match (from.as_str(), value) {
        // A name that cannot be one is not repeated: it may be a secret written in the wrong place.
        ("env", Value::String(name)) if !is_variable_name(name) => {
            Err("wanted: the name of an environment variable, of A-Z a-z 0-9 _".to_owned())
        }
        ("env", Value::String(name)) => {
            gather.world.env(name).map_err(|why| said(&format!("the environment variable {name}"), why))
        }
        ("file", Value::String(path)) => {
            gather.world.file(Path::new(path)).map_err(|why| said("the file of this secret", why))
        }
        ("command", Value::Array(words)) => {
            let words: Option<Vec<String>> =
                words.iter().map(|word| word.as_str().map(str::to_owned)).collect();
            match words.as_deref() {
                Some([program, arguments @ ..]) => gather
                    .world
                    .output(program, arguments, COMMAND_LIMIT)
                    .map_err(|why| said("the command of this secret", why)),
                Some([]) | None => Err(WANTED.to_owned()),
            }
        }
        _ => Err(WANTED.to_owned()),
    }
}

fn is_variable_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Editors and most programs end a text with a line end that is no part of the secret.
fn without_line_end(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}
