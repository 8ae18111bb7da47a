//! Lists that come in pages.
//!
//! Must hold: a list is read to its end whether the vault pages by `limit` and `offset`, by `nextLink`, or not at
//! all, and however few records it gives at once, asked for more; nothing is counted twice; a link is followed only to the same list of the same interface.

use std::collections::BTreeSet;

use serde_json::{Map, Value};
use url::Url;

use super::talk::{Fault, Talk};

/// A record as it came, so that fields nobody here knows survive.
pub(super) type Raw = Map<String, Value>;

const PAGE: usize = 100;
/// No vault is known to give fewer records in a page that is not the last one.
const FEWEST: usize = 20;
const MOST_PAGES: usize = 200;

/// A list of the interface.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    /// The path, such as `Users`.
    pub(super) path: &'a str,
    /// The field of the answer that holds the records.
    pub(super) records: &'a str,
}

impl Talk<'_> {
    /// All records that the vault finds for the query.
    pub(super) async fn list(&mut self, list: List<'_>, query: &[(&str, &str)]) -> Result<Vec<Raw>, Fault> {
        let mut all: Vec<Raw> = Vec::new();
        let mut seen = BTreeSet::new();
        let mut link: Option<Vec<(String, String)>> = None;
        let mut fullest = FEWEST;
        for _ in 0..MOST_PAGES {
            let (limit, offset) = (PAGE.to_string(), all.len().to_string());
            let answer = if let Some(pairs) = &link {
                let pairs: Vec<_> = pairs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
                self.get(list.path, &pairs).await?
            } else {
                let paged = [query, &[("limit", &limit), ("offset", &offset)]].concat();
                self.get(list.path, &paged).await?
            };
            let page = Page::of(list, answer)?;
            let (count, before) = (page.records.len(), all.len());
            all.extend(page.records.into_iter().filter(|record| seen.insert(identity(record))));
            // A vault that does not page sends the same records for ever.
            if all.len() == before {
                return Ok(all);
            }
            link = page.next.map(|next| next_query(self.pvwa.wire.base(), list, &next)).transpose()?;
            // `Total` may mean the page or the whole; it only ever makes us read on. A vault may give fewer records than
            // were asked for, so a page is the last one only if it is shorter than one before it, or very short.
            let more = page.total.is_some_and(|total| total > all.len());
            if link.is_none() && count < fullest && !more {
                return Ok(all);
            }
            fullest = fullest.max(count);
        }
        Err(Fault::NeedsPerson(format!("the list {} does not come to an end", list.path)))
    }
}

/// What tells one record from another: its number, else all it says.
fn identity(record: &Raw) -> String {
    id_of(record).map_or_else(|| Value::Object(record.clone()).to_string(), |id| id.to_string())
}

struct Page {
    records: Vec<Raw>,
    next: Option<String>,
    total: Option<usize>,
}

impl Page {
    fn of(list: List<'_>, answer: Value) -> Result<Self, Fault> {
        let strange =
            || Fault::NeedsPerson(format!("the vault's list {} has a shape we do not know", list.path));
        let Value::Object(mut answer) = answer else { return Err(strange()) };
        let key = answer.keys().find(|key| key.eq_ignore_ascii_case(list.records)).cloned();
        let Some(Value::Array(items)) = key.and_then(|key| answer.remove(&key)) else {
            return Err(strange());
        };
        let records = items
            .into_iter()
            .map(|item| match item {
                Value::Object(record) => Ok(record),
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
                    Err(strange())
                }
            })
            .collect::<Result<Vec<_>, _>>()?;
        let next = field(&answer, "nextLink").and_then(Value::as_str).filter(|link| !link.is_empty());
        let total = field(&answer, "Total").and_then(Value::as_u64);
        Ok(Self {
            records,
            next: next.map(str::to_owned),
            total: total.and_then(|total| total.try_into().ok()),
        })
    }
}

/// The query of a `nextLink`, if the link leads to the same list. Links come whole, or relative to the interface or
/// to the application above it; only their query is ever taken over.
fn next_query(base: &Url, list: List<'_>, link: &str) -> Result<Vec<(String, String)>, Fault> {
    let here = |url: &Url| format!("{}/", url.path().trim_end_matches('/')).to_ascii_lowercase();
    let mut below = base.clone();
    below.set_path(&format!("{}/", base.path().trim_end_matches('/')));
    let wanted = format!("{}{}/", here(&below), list.path.to_ascii_lowercase());
    let above = below.join("../").unwrap_or_else(|_| below.clone());
    let led = [below.join(link), above.join(link)]
        .into_iter()
        .flatten()
        .find(|url| url.origin() == base.origin() && url.username().is_empty() && here(url) == wanted);
    led.map(|url| url.query_pairs().into_owned().collect()).ok_or_else(|| {
        Fault::NeedsPerson(format!("the list {} goes on at an address that is not its own", list.path))
    })
}

/// A field by name; the spelling of names differs between versions only in case.
pub(super) fn field<'a>(record: &'a Raw, name: &str) -> Option<&'a Value> {
    let exact = record.get(name);
    exact.or_else(|| record.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value))
}

/// A text field that says something.
pub(super) fn text<'a>(record: &'a Raw, name: &str) -> Option<&'a str> {
    field(record, name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A number, also where it is written as text.
pub(super) fn number(record: &Raw, name: &str) -> Option<i64> {
    let value = field(record, name)?;
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

/// A yes or no, also where it is written as text.
pub(super) fn flag(record: &Raw, name: &str) -> Option<bool> {
    let value = field(record, name)?;
    value.as_bool().or_else(|| value.as_str()?.to_ascii_lowercase().parse().ok())
}

/// The number under which the vault keeps a record.
pub(super) fn id_of(record: &Raw) -> Option<i64> {
    number(record, "id")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_next_link_is_followed_only_to_the_same_list() {
        let base = Url::parse("https://acme.example/PasswordVault/API").unwrap();
        let groups = List { path: "UserGroups", records: "value" };
        let query = |link: &str| next_query(&base, groups, link).ok();
        let wanted = Some(vec![("offset".to_owned(), "2".to_owned())]);
        for good in [
            "https://acme.example/PasswordVault/api/usergroups?offset=2",
            "/PasswordVault/API/UserGroups/?offset=2",
            "UserGroups?offset=2",
            "api/UserGroups?offset=2",
        ] {
            assert_eq!(query(good), wanted, "{good}");
        }
        for bad in [
            "https://evil.example/PasswordVault/API/UserGroups?offset=2",
            "//evil.example/PasswordVault/API/UserGroups?offset=2",
            "http://acme.example/PasswordVault/API/UserGroups?offset=2",
            "https://acme.example:444/PasswordVault/API/UserGroups?offset=2",
            "https://acme.example/PasswordVault/API/Users?offset=2",
            "../../UserGroups?offset=2",
        ] {
            assert_eq!(query(bad), None, "{bad}");
        }
    }

    #[test]
    fn fields_are_found_without_case_and_out_of_text() {
        let Value::Object(record) = serde_json::json!({"ID": "7", "EnableUser": "True", "name": ""}) else {
            panic!("not a record")
        };
        assert_eq!(id_of(&record), Some(7));
        assert_eq!(flag(&record, "enableUser"), Some(true));
        assert_eq!(text(&record, "name"), None);
    }
}
