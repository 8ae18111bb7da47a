//! Reads one table of the settings by hand, so that every fault is found in one go.
//!
//! Must hold: each key that is asked for is remembered, and what nobody asked for is refused with a suggestion;
//! no fault repeats a value. Deliberately absent: what the keys mean (one file per section beside this one).

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use chrono::TimeDelta;
use toml::{Table, Value};

use super::fault::Fault;
use super::world::World;

/// How alike an unknown key must be to a known one to be suggested; 1 means the same.
const ALIKE: f64 = 0.6;

static NOTHING: LazyLock<Table> = LazyLock::new(Table::new);

/// What is written for a setting whose feature is not there yet.
pub const NOT_YET: &str = "not available yet";

/// Where the faults of one file come together.
pub struct Gather<'w> {
    file: String,
    faults: RefCell<Vec<Fault>>,
    /// Where secrets are fetched from.
    pub world: &'w dyn World,
}

impl<'w> Gather<'w> {
    /// Nothing found so far in `file`.
    pub fn new(file: &str, world: &'w dyn World) -> Self {
        Self { file: file.to_owned(), faults: RefCell::default(), world }
    }

    /// Notes a fault at the full path of a key.
    pub fn fault(&self, key: &str, wanted: impl Into<String>) {
        self.faults.borrow_mut().push(Fault::new(&self.file, key, wanted));
    }

    /// All faults, in the order in which they were found.
    pub fn into_faults(self) -> Vec<Fault> {
        self.faults.into_inner()
    }
}

/// One table of the file and what was asked of it.
pub struct Section<'r> {
    table: &'r Table,
    path: String,
    gather: &'r Gather<'r>,
    asked: RefCell<BTreeSet<&'static str>>,
}

impl<'r> Section<'r> {
    /// A table at `path`; the empty path is the whole file.
    pub fn new(table: &'r Table, path: String, gather: &'r Gather<'r>) -> Self {
        Self { table, path, gather, asked: RefCell::default() }
    }

    /// The full path of a key in this table.
    pub fn key(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_owned() } else { format!("{}.{name}", self.path) }
    }

    /// Notes a fault at a key of this table.
    pub fn fault(&self, name: &str, wanted: impl Into<String>) {
        self.gather.fault(&self.key(name), wanted);
    }

    /// The value as it stands; the key counts as known from now on.
    pub fn value(&self, name: &'static str) -> Option<&'r Value> {
        self.asked.borrow_mut().insert(name);
        self.table.get(name)
    }

    /// Where the faults go and where secrets come from.
    pub fn gather(&self) -> &'r Gather<'r> {
        self.gather
    }

    /// A text that may be absent. `wanted` says what `parse` accepts.
    pub fn read<T>(
        &self,
        name: &'static str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let read = value.as_str().and_then(parse);
        if read.is_none() {
            self.fault(name, format!("wanted: {wanted}"));
        }
        read
    }

    /// A text that must be there.
    pub fn needed<T>(
        &self,
        name: &'static str,
        wanted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Option<T> {
        if self.value(name).is_none() {
            self.fault(name, format!("missing; wanted: {wanted}"));
            return None;
        }
        self.read(name, wanted, parse)
    }

    /// A list of texts; empty when absent. A faulty item is noted under its place and left out.
    pub fn list<T>(&self, name: &'static str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let Some(items) = value.as_array() else {
            self.fault(name, format!("wanted: a list, each {wanted}"));
            return Vec::new();
        };
        let mut read = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            match item.as_str().and_then(&parse) {
                Some(item) => read.push(item),
                None => self.fault(&format!("{name}[{place}]"), format!("wanted: {wanted}")),
            }
        }
        read
    }

    /// A list of texts with at least one item.
    pub fn some<T>(&self, name: &'static str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Vec<T> {
        let is_empty = self.value(name).is_none_or(|value| value.as_array().is_some_and(Vec::is_empty));
        if is_empty {
            self.fault(name, format!("missing or empty; wanted: a list of at least one, each {wanted}"));
            return Vec::new();
        }
        self.list(name, wanted, parse)
    }

    /// A whole number within `range`, or `otherwise` when absent.
    pub fn whole(&self, name: &'static str, range: RangeInclusive<u32>, otherwise: u32) -> u32 {
        let Some(value) = self.value(name) else { return otherwise };
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| range.contains(number)).unwrap_or_else(|| {
            self.fault(name, format!("wanted: a whole number from {} to {}", range.start(), range.end()));
            otherwise
        })
    }

    /// `true` or `false`; `None` when absent or faulty.
    pub fn yes_or_no(&self, name: &'static str) -> Option<bool> {
        let value = self.value(name)?;
        let read = value.as_bool();
        if read.is_none() {
            self.fault(name, "wanted: true or false");
        }
        read
    }

    /// A span such as `7d`, `72h`, `30m` or `10s` within `range`, or `otherwise` when absent.
    pub fn span(
        &self,
        name: &'static str,
        range: RangeInclusive<TimeDelta>,
        otherwise: TimeDelta,
    ) -> TimeDelta {
        let wanted = format!(
            "a span such as \"7d\", \"72h\", \"30m\" or \"10s\", from {} to {} seconds",
            range.start().num_seconds(),
            range.end().num_seconds()
        );
        self.read(name, &wanted, |text| span(text).filter(|span| range.contains(span))).unwrap_or(otherwise)
    }

    /// The table under a key; an empty one when absent, so that each missing key in it is named.
    pub fn section(&self, name: &'static str) -> Section<'r> {
        let table = match self.value(name) {
            None => &*NOTHING,
            Some(Value::Table(table)) => table,
            Some(_) => {
                self.fault(name, "wanted: a table");
                &*NOTHING
            }
        };
        Section::new(table, self.key(name), self.gather)
    }

    /// The tables of a list under a key; none when absent.
    pub fn sections(&self, name: &'static str) -> Vec<Section<'r>> {
        let Some(value) = self.value(name) else { return Vec::new() };
        let Some(items) = value.as_array() else {
            self.fault(name, "wanted: a list of tables");
            return Vec::new();
        };
        let mut found = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            let path = self.key(&format!("{name}[{place}]"));
            match item {
                Value::Table(table) => found.push(Section::new(table, path, self.gather)),
                _ => self.gather.fault(&path, "wanted: a table"),
            }
        }
        found
    }

    /// Refuses a word that is known but whose feature is not there yet.
    pub fn refuse_for_now(&self, name: &'static str, words: &[&str]) -> Refusal {
        let is_one = self.value(name).and_then(Value::as_str).is_some_and(|text| words.contains(&text));
        if is_one {
            self.fault(name, NOT_YET);
            return Refusal::Refused;
        }
        Refusal::Passed
    }

    /// Refuses every key that nobody asked for. To be called once, at the end.
    pub fn refuse_unknown(&self) {
        let asked = self.asked.borrow();
        for name in self.table.keys().filter(|name| !asked.contains(name.as_str())) {
            let closest = asked
                .iter()
                .map(|known| (strsim::normalized_damerau_levenshtein(name, known), known))
                .max_by(|one, other| one.0.total_cmp(&other.0))
                .filter(|(likeness, _)| *likeness >= ALIKE);
            let wanted = if let Some((_, known)) = closest {
                format!("unknown key; did you mean \"{known}\"?")
            } else {
                let known: Vec<&str> = asked.iter().copied().collect();
                format!("unknown key; known here: {}", known.join(", "))
            };
            self.fault(name, wanted);
        }
    }
}

/// Was the word refused?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Yes, and the fault is noted.
    Refused,
    /// No; the word is still to be read.
    Passed,
}

/// Names that must not come twice, such as those of all sources.
#[derive(Default)]
pub struct Distinct(BTreeSet<String>);

impl Distinct {
    /// Notes a fault at `name` of `section` when `key` was seen before.
    pub fn note(&mut self, section: &Section<'_>, name: &str, key: &str) {
        if !self.0.insert(key.to_owned()) {
            section.fault(name, "stands here twice; wanted: a value of its own");
        }
    }
}

fn span(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?;
    let digits = (1..=6).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    let number: i64 = if digits { number.parse().ok()? } else { return None };
    match unit {
        's' => TimeDelta::try_seconds(number),
        'm' => TimeDelta::try_minutes(number),
        'h' => TimeDelta::try_hours(number),
        'd' => TimeDelta::try_days(number),
        _ => None,
    }
}
