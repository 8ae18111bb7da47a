//! `GET /api/v1/reports/leavers`: how long leavers kept access that was to end, one by one and in sum.
//!
//! Must hold: the two lags stand apart, in seconds; what is not known yet is `null`, never left out.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use serde::Serialize;

use super::paging::{self, Cut, PageWanted, bad_query};
use super::unread::{UNREADABLE, unread};
use crate::config::Scope;
use crate::console::span::{self, NoSpan};
use crate::domain::ids::WorkflowId;
use crate::domain::leaver_clock::{ALARMS, ClockEnd};
use crate::domain::names::{PersonRef, SourceName, SourceRef};
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::store::leaver_report::{self, Lags, Line, Span, Sums};
use crate::store::listed::Listed;
use crate::web::problem::{FieldProblem, Problem};
use crate::web::{bearer, json};

/// The report as an answer.
pub(super) async fn report(kit: web::Data<Kit>, request: HttpRequest) -> HttpResponse {
    page(&kit, &request).await.unwrap_or_else(HttpResponse::from)
}

async fn page(kit: &Kit, request: &HttpRequest) -> Result<HttpResponse, Problem> {
    bearer::client(&kit.settings.api_clients, request.headers(), Scope::WorkflowsRead)?;
    let known = "from, to, limit and cursor";
    let (wanted, [from, to]) = PageWanted::read_besides(request.query_string(), ["from", "to"], known)?;
    let now = kit.world.now();
    let span = span::read(from.as_deref(), to.as_deref(), now).map_err(|wrong| no_span(&wrong))?;
    let after = wanted.after_leaver()?;
    let found = leaver_report::page(&kit.store, span, after, wanted.one_more()).await;
    let (shown, more) = wanted.cut(found.map_err(|fault| unread(&fault))?);
    let sums = leaver_report::sums(&kit.store, span, now).await.map_err(|fault| unread(&fault))?;
    let next_cursor = match (more, shown.last()) {
        (Cut::Short, Some(last)) => Some(paging::leaver_cursor(last)),
        (Cut::Short | Cut::Whole, _) => None,
    };
    Ok(json::answer(StatusCode::OK, &LeaverPage::new(span, &sums, &shown, next_cursor)))
}

fn no_span(wrong: &NoSpan) -> Problem {
    bad_query([FieldProblem::parameter(wrong.parameter, wrong.code, wrong.wanted)])
}

#[derive(Serialize)]
struct LeaverPage {
    from: Timestamp,
    to: Timestamp,
    sums: SumsShown,
    leavers: Vec<LeaverShown>,
    next_cursor: Option<String>,
}

#[derive(Serialize)]
struct SumsShown {
    leavers: u64,
    open: u64,
    open_over_target: u64,
    verified_over_target: u64,
    own_lag_seconds: LagsShown,
    notice_lag_seconds: LagsShown,
}

#[derive(Serialize)]
struct LagsShown {
    count: u64,
    p50: Option<f64>,
    p95: Option<f64>,
    max: Option<f64>,
}

#[derive(Serialize)]
struct LeaverShown {
    workflow_id: WorkflowId,
    source: Option<SourceName>,
    source_ref: Option<SourceRef>,
    person_ref: Option<PersonRef>,
    state: String,
    /// That its record cannot be read, in words.
    unreadable: Option<&'static str>,
    effective_at: Timestamp,
    received_at: Timestamp,
    clock_began_at: Timestamp,
    verified_at: Option<Timestamp>,
    rested_at: Option<Timestamp>,
    notice_lag_seconds: Option<f64>,
    own_lag_seconds: Option<f64>,
    target_seconds: i64,
    alarms_passed: Vec<u32>,
}

impl LeaverPage {
    fn new(span: Span, sums: &Sums, shown: &[Line], next_cursor: Option<String>) -> Self {
        Self {
            from: span.from,
            to: span.to,
            sums: SumsShown {
                leavers: sums.leavers,
                open: sums.open,
                open_over_target: sums.open_over_target,
                verified_over_target: sums.verified_over_target,
                own_lag_seconds: LagsShown::from(sums.own),
                notice_lag_seconds: LagsShown::from(sums.notice),
            },
            leavers: shown.iter().map(LeaverShown::new).collect(),
            next_cursor,
        }
    }
}

impl From<Lags> for LagsShown {
    fn from(lags: Lags) -> Self {
        Self {
            count: lags.count,
            p50: lags.p50.map(seconds),
            p95: lags.p95.map(seconds),
            max: lags.max.map(seconds),
        }
    }
}

impl LeaverShown {
    fn new(line: &Line) -> Self {
        let Line { workflow, clock } = line;
        let (verified_at, rested_at) = match clock.end {
            ClockEnd::Open => (None, None),
            ClockEnd::Verified(read) => (Some(read), Some(read)),
            ClockEnd::Unverified(rested) => (None, Some(rested)),
        };
        let (whole, state, unreadable) = match workflow {
            Listed::Whole(whole) => (Some(whole), whole.state.word().to_owned(), None),
            Listed::Unreadable(told) => (None, told.state.clone(), Some(UNREADABLE)),
        };
        Self {
            workflow_id: workflow.id(),
            source: whole.map(|whole| whole.source.clone()),
            source_ref: whole.map(|whole| whole.source_ref.clone()),
            person_ref: whole.map(|whole| whole.person_ref.clone()),
            state,
            unreadable,
            effective_at: clock.effective,
            received_at: clock.received,
            clock_began_at: clock.starts,
            verified_at,
            rested_at,
            notice_lag_seconds: clock.notice_lag().map(seconds),
            own_lag_seconds: clock.own_lag().map(seconds),
            target_seconds: clock.within.num_seconds(),
            alarms_passed: ALARMS.into_iter().filter(|percent| *percent <= clock.told).collect(),
        }
    }
}

fn seconds(lag: TimeDelta) -> f64 {
    lag.to_std().map_or(0.0, |lag| lag.as_secs_f64())
}
