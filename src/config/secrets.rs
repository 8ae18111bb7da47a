//! A secret of the settings: a string, or where to fetch one from.
//!
//! Must hold: a secret lives in a `SecretString` from the moment it is fetched; a fault names the variable, never
//! what was found in it. An empty secret is a fault, because it opens every door that compares against it.

use std::fmt;
use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

use super::reader::{Gather, Section};
use super::world::{COMMAND_LIMIT, Unfetched, World};

/// A secret that knows where it came from, because it may be exchanged there while the service runs.
#[derive(Clone)]
pub struct Secret {
    value: SecretString,
    /// None when it stands in the settings file itself, which is read once.
    origin: Option<Origin>,
}

/// Where a secret is fetched from.
#[derive(Clone)]
enum Origin {
    Env(String),
    File(PathBuf),
    Command { program: String, arguments: Vec<String> },
}

impl Secret {
    /// A secret that stands in the settings themselves.
    pub fn given(value: SecretString) -> Self {
        Self { value, origin: None }
    }

    /// What was found when the settings were read.
    pub fn value(&self) -> &SecretString {
        &self.value
    }

    /// What is found there now; it may differ from [`Self::value`]. A command may take its time, so this blocks.
    pub fn fetched_again(&self, world: &dyn World) -> Result<SecretString, String> {
        let Some(origin) = &self.origin else { return Ok(self.value.clone()) };
        let found = origin.fetch(world)?;
        if found.is_empty() { Err("the secret is empty".to_owned()) } else { Ok(SecretString::from(found)) }
    }
}

/// Neither the value nor where it lies, since a command's arguments may hold one, too.
impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Secret(..)")
    }
}

const WANTED: &str = "wanted: a string, { env = \"NAME\" }, { file = \"PATH\" } or \
                      { command = [\"program\", \"argument\"] }";

impl Section<'_> {
    /// A secret that may be absent.
    pub fn secret(&self, name: &'static str) -> Option<SecretString> {
        self.lasting_secret(name).map(|secret| secret.value)
    }

    /// A secret that must be there.
    pub fn needed_secret(&self, name: &'static str) -> Option<SecretString> {
        self.needed_lasting_secret(name).map(|secret| secret.value)
    }

    /// A secret that may be absent, with where it came from.
    fn lasting_secret(&self, name: &'static str) -> Option<Secret> {
        let value = self.value(name)?;
        fetch(self.gather(), &self.key(name), value)
    }

    /// A secret that must be there, with where it came from.
    pub fn needed_lasting_secret(&self, name: &'static str) -> Option<Secret> {
        if self.value(name).is_none() {
            self.fault(name, format!("missing; {WANTED}"));
        }
        self.lasting_secret(name)
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
            Some((key, secret.value))
        });
        fetched.collect()
    }
}

fn fetch(gather: &Gather<'_>, key: &str, value: &Value) -> Option<Secret> {
    let fetched = match value {
        Value::String(text) => Ok((None, text.clone())),
        Value::Table(table) => Origin::of(table).and_then(|origin| {
            let text = origin.fetch(gather.world)?;
            Ok((Some(origin), text))
        }),
        _ => Err(WANTED.to_owned()),
    };
    let (origin, text) = match fetched {
        Ok(fetched) => fetched,
        Err(why) => {
            gather.fault(key, why);
            return None;
        }
    };
    let value = SecretString::from(text);
    if value.expose_secret().is_empty() {
        gather.fault(key, "is empty; wanted: a secret");
        return None;
    }
    Some(Secret { value, origin })
}

impl Origin {
    fn of(table: &Table) -> Result<Self, String> {
        let mut entries = table.iter();
        let (Some((from, value)), None) = (entries.next(), entries.next()) else {
            return Err(WANTED.to_owned());
        };
        match (from.as_str(), value) {
            // A name that cannot be one is not repeated: it may be a secret written in the wrong place.
            ("env", Value::String(name)) if !is_variable_name(name) => {
                Err("wanted: the name of an environment variable, of A-Z a-z 0-9 _".to_owned())
            }
            ("env", Value::String(name)) => Ok(Self::Env(name.clone())),
            ("file", Value::String(path)) => Ok(Self::File(PathBuf::from(path))),
            ("command", Value::Array(words)) => {
                let words: Option<Vec<String>> =
                    words.iter().map(|word| word.as_str().map(str::to_owned)).collect();
                match words.as_deref() {
                    Some([program, arguments @ ..]) => {
                        Ok(Self::Command { program: program.clone(), arguments: arguments.to_vec() })
                    }
                    Some([]) | None => Err(WANTED.to_owned()),
                }
            }
            _ => Err(WANTED.to_owned()),
        }
    }

    fn fetch(&self, world: &dyn World) -> Result<String, String> {
        let said = |what: &str, why: Unfetched| format!("{what} {why}");
        let found = match self {
            Self::Env(name) => {
                world.env(name).map_err(|why| said(&format!("the environment variable {name}"), why))
            }
            Self::File(path) => world.file(path).map_err(|why| said("the file of this secret", why)),
            Self::Command { program, arguments } => world
                .output(program, arguments, COMMAND_LIMIT)
                .map_err(|why| said("the command of this secret", why)),
        };
        found.map(without_line_end)
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
