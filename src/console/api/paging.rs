//! Which page is wanted, and how the next one is asked for.
//!
//! Must hold: every parameter that is not known, or is there twice, is refused by name; a cursor is opaque to its
//! holder, and one that we did not make is refused.

use actix_web::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::domain::ids::WorkflowId;
use crate::domain::time::Timestamp;
use crate::store::leaver_report::{After, Line};
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
        let (page, []) = Self::read_besides(query, [], "limit and cursor")?;
        Ok(page)
    }

    /// The same beside other parameters, whose texts are answered in the order of their names; `known` lists all.
    pub(super) fn read_besides<const N: usize>(
        query: &str,
        names: [&str; N],
        known: &str,
    ) -> Result<(Self, [Option<String>; N]), Problem> {
        let (mut limit, mut cursor, mut others) = (None, None, [const { None }; N]);
        let mut faults = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let other = names.iter().position(|other| *other == name);
            let place = match (name.as_ref(), other.and_then(|place| others.get_mut(place))) {
                ("limit", _) => &mut limit,
                ("cursor", _) => &mut cursor,
                (_, Some(place)) => place,
                (_, None) => {
                    faults.push(unknown(&name, known));
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
            Some(limit) if faults.is_empty() => Ok((Self { limit, cursor }, others)),
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
    pub(super) fn after_workflow(&self) -> Result<Option<WorkflowId>, Problem> {
        self.opened(|text| WorkflowId::parse(text.strip_prefix("workflow ")?))
    }

    /// The leaver that the page of the report before ended with.
    pub(super) fn after_leaver(&self) -> Result<Option<After>, Problem> {
        self.opened(|text| {
            let (at, id) = text.strip_prefix("leaver ")?.split_once(' ')?;
            Some(After { starts: Timestamp::parse(at)?, workflow: WorkflowId::parse(id)? })
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
pub(super) fn workflow_cursor(last: WorkflowId) -> String {
    URL_SAFE_NO_PAD.encode(format!("workflow {last}"))
}

/// Where the page after this line of the report begins.
pub(super) fn leaver_cursor(last: &Line) -> String {
    URL_SAFE_NO_PAD.encode(format!("leaver {} {}", last.clock.starts, last.workflow.id()))
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

pub(super) fn bad_query(faults: impl IntoIterator<Item = FieldProblem>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "bad_query", "the query breaks rules").at(faults)
}
