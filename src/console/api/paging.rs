//! Which page is wanted, and how the next one is asked for.
//!
//! Must hold: every parameter that is not known, or is there twice, is refused by name; a cursor is opaque to its
//! holder, and one that we did not make is refused.

use actix_web::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::ids::WorkflowId;
use crate::domain::time::Timestamp;
use crate::store::listed::Cursor;
use crate::web::problem::{FieldProblem, Problem};

const MOST: u64 = 100;
const USUAL: u64 = 20;
/// An unknown parameter's name is repeated only so far, in characters.
const LONGEST_NAME: usize = 64;

/// What the query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PageWanted {
    limit: u64,
    cursor: Option<String>,
}

/// Is there more than is shown?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    /// Yes.
    Short,
    /// No.
    Whole,
}

impl PageWanted {
    /// Reads `limit` and `cursor`.
    pub(super) fn read(query: &str) -> Result<Self, Problem> {
        let (mut limit, mut cursor) = (None, None);
        let mut faults = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let place = match name.as_ref() {
                "limit" => &mut limit,
                "cursor" => &mut cursor,
                _ => {
                    faults.push(unknown(&name, "limit and cursor"));
                    continue;
                }
            };
            if place.replace(value.into_owned()).is_some() {
                faults.push(FieldProblem::parameter(&name, "twice", "each parameter once"));
            }
        }
        let limit = limit.map_or(Some(USUAL), |text| count(&text));
        if limit.is_none() {
            faults.push(FieldProblem::parameter("limit", "out_of_range", format!("1 to {MOST}")));
        }
        match limit {
            Some(limit) if faults.is_empty() => Ok(Self { limit, cursor }),
            Some(_) | None => Err(bad_query(faults)),
        }
    }

    /// For addresses that take no parameters.
    pub(super) fn refuse_parameters(query: &str) -> Result<(), Problem> {
        let faults: Vec<_> =
            url::form_urlencoded::parse(query.as_bytes()).map(|(name, _)| unknown(&name, "none")).collect();
        if faults.is_empty() { Ok(()) } else { Err(bad_query(faults)) }
    }

    /// One more than is shown tells whether there is more.
    pub(super) const fn one_more(&self) -> u64 {
        self.limit + 1
    }

    /// What is shown of what was found.
    pub(super) fn cut<T>(&self, mut found: Vec<T>) -> (Vec<T>, Cut) {
        let most = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let cut = if found.len() > most { Cut::Short } else { Cut::Whole };
        found.truncate(most);
        (found, cut)
    }

    /// The workflow that the page before ended with.
    pub(super) fn after_workflow(&self) -> Result<Option<Cursor>, Problem> {
        self.opened(|text| {
            let (at, id) = text.split_once(' ')?;
            Some(Cursor { created_at: Timestamp::parse(at)?, id: WorkflowId::parse(id)? })
        })
    }

    /// The position that the page before ended with; zero before the first.
    pub(super) fn after_position(&self) -> Result<i64, Problem> {
        let position = self.opened(|text| text.strip_prefix("position ")?.parse().ok())?;
        Ok(position.unwrap_or(0))
    }

    fn opened<T>(&self, read: impl Fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        text.and_then(|text| read(&text)).map(Some).ok_or_else(|| {
            let wanted = "next_cursor of the page before, from the same address";
            bad_query([FieldProblem::parameter("cursor", "bad_cursor", wanted)])
        })
    }
}

/// Where the page after this workflow begins.
pub(super) fn workflow_cursor(last: Cursor) -> String {
    URL_SAFE_NO_PAD.encode(format!("{} {}", last.created_at, last.id))
}

/// Where the page after this position begins.
pub(super) fn position_cursor(last: i64) -> String {
    URL_SAFE_NO_PAD.encode(format!("position {last}"))
}

fn count(text: &str) -> Option<u64> {
    let digits = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits { text.parse().ok().filter(|limit| (1..=MOST).contains(limit)) } else { None }
}

fn unknown(name: &str, known: &str) -> FieldProblem {
    let name: String = name.chars().take(LONGEST_NAME).collect();
    FieldProblem::parameter(&name, "unknown_parameter", format!("no such parameter; here are known: {known}"))
}

fn bad_query(faults: impl IntoIterator<Item = FieldProblem>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_query", "the query breaks rules").at(faults)
}
