//! `GET /reports/leavers`: how long leavers kept access that was to end, for people.
//!
//! Must hold: only reads; the same as programs are told, in words; a page goes on from the last line of the one before.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;

use super::access::may_look;
use super::list::unreadable;
use super::span::{self, NoSpan};
use super::top::Top;
use crate::domain::canon::Tag;
use crate::domain::ids::WorkflowId;
use crate::domain::leaver_clock::{ClockEnd, LeaverClock};
use crate::domain::request::Request;
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::pages::progress::tone;
use crate::pages::summary_in_words::full_name;
use crate::pages::time_in_words;
use crate::store::ReadFault;
use crate::store::leaver_report::{self, After, Lags, Line, Span, Sums};
use crate::store::listed::Listed;
use crate::web::home::Home;
use crate::web::page::{self, Message};
use crate::web::visible::visible;

/// So many stand on a page.
const PAGE: usize = 25;

#[derive(Template)]
#[template(path = "leavers.html")]
struct LeaversPage {
    home: Home,
    top: Top,
    here: String,
    from: String,
    to: String,
    span: String,
    sums: Sums,
    own: LagsInWords,
    notice: LagsInWords,
    rows: Vec<Row>,
    older: Option<String>,
}

struct LagsInWords {
    p50: String,
    p95: String,
    max: String,
}

/// One leaver in the table.
struct Row {
    href: String,
    who: String,
    /// Whose request it is and where it came from, as far as its record can be read.
    sub: String,
    state: String,
    tone: &'static str,
    wanted: String,
    received: String,
    notice: String,
    verified: String,
    own: String,
    target: String,
    late: bool,
    alarms: Option<String>,
}

/// What the address asks for.
struct Asked {
    span: Span,
    /// Both ends as they were typed.
    typed: [String; 2],
    after: Option<After>,
}

/// The report as an answer.
pub(super) async fn show(request: HttpRequest, kit: Data<Kit>) -> HttpResponse {
    let signed = match may_look(&kit, &request).await {
        Ok(signed) => signed,
        Err(closed) => return *closed,
    };
    let now = kit.world.now();
    match read(request.query_string(), now) {
        Ok(asked) => match gather(&kit, asked, Top::of(&kit, signed.as_ref()), now).await {
            Ok(report) => page::html(StatusCode::OK, &report),
            Err(fault) => unreadable(&kit, &fault),
        },
        Err(words) => {
            let home = Home::of(&kit);
            Message::new("This report cannot be shown", words)
                .leading_to(home.path("/reports/leavers"), "Show the last thirty days")
                .answer(&home, StatusCode::BAD_REQUEST)
        }
    }
}

fn read(query: &str, now: Timestamp) -> Result<Asked, String> {
    let mut fields = ["from", "to", "after"].map(|name| (name, None::<String>));
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        let known = fields.iter_mut().find(|(known, _)| *known == name);
        let Some((_, field)) = known else {
            return Err("The address asks for a part that is not known here.".to_owned());
        };
        if field.replace(value.into_owned()).is_some() {
            return Err("The address asks for a part that is there twice.".to_owned());
        }
    }
    let [from, to, after] = fields.map(|(_, value)| value);
    let span = span::read(from.as_deref(), to.as_deref(), now);
    let span = span.map_err(|NoSpan { parameter, wanted, .. }| format!("“{parameter}” wants {wanted}."))?;
    let after = match after.as_deref() {
        None => None,
        Some(text) => Some(opened(text).ok_or("The address asks for a place that there is not.")?),
    };
    // The end is fixed while somebody turns pages, and an empty field stays empty.
    Ok(Asked { span, typed: [from, to].map(Option::unwrap_or_default), after })
}

fn opened(text: &str) -> Option<After> {
    let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    let (at, id) = text.split_once(' ')?;
    Some(After { starts: Timestamp::parse(at)?, workflow: WorkflowId::parse(id)? })
}

async fn gather(kit: &Kit, asked: Asked, top: Top, now: Timestamp) -> Result<LeaversPage, ReadFault> {
    let home = Home::of(kit);
    let here = home.path("/reports/leavers");
    let Asked { span, typed: [from, to], after } = asked;
    let one_more = u64::try_from(PAGE + 1).unwrap_or(u64::MAX);
    let mut lines = leaver_report::page(&kit.store, span, after, one_more).await?;
    let more = lines.len() > PAGE;
    lines.truncate(PAGE);
    let older = lines.last().filter(|_| more).map(|last| {
        let place = URL_SAFE_NO_PAD.encode(format!("{} {}", last.clock.starts, last.workflow.id()));
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("from", &span.from.to_string())
            .append_pair("to", &span.to.to_string())
            .append_pair("after", &place)
            .finish();
        format!("{here}?{query}")
    });
    let sums = leaver_report::sums(&kit.store, span, now).await?;
    Ok(LeaversPage {
        top,
        from,
        to,
        span: format!("{} to {}", span.from.in_words(), span.to.in_words()),
        own: LagsInWords::of(sums.own),
        notice: LagsInWords::of(sums.notice),
        sums,
        rows: lines.iter().map(|line| Row::of(&home, line, now)).collect(),
        older,
        here,
        home,
    })
}

impl LagsInWords {
    fn of(lags: Lags) -> Self {
        let words = |lag: Option<TimeDelta>| lag.map_or_else(|| "none".to_owned(), lasting);
        Self { p50: words(lags.p50), p95: words(lags.p95), max: words(lags.max) }
    }
}

impl Row {
    fn of(home: &Home, Line { workflow, clock }: &Line, now: Timestamp) -> Self {
        let told = Told::of(workflow);
        Self {
            href: home.path(&format!("/workflows/{}", workflow.id())),
            who: told.who,
            sub: told.sub,
            state: told.state,
            tone: told.tone,
            wanted: clock.effective.in_words(),
            received: clock.received.in_words(),
            notice: clock
                .notice_lag()
                .map_or_else(|| "in time".to_owned(), |lag| format!("{} late", lasting(lag))),
            verified: verified(clock),
            own: own(clock, now),
            target: lasting(clock.within),
            late: clock.is_late(now) || clock.own_lag().is_some_and(|lag| lag > clock.within),
            alarms: (clock.told > 0).then(|| format!("alarm at {} percent", clock.told)),
        }
    }
}

/// What a row tells of the request itself.
struct Told {
    who: String,
    sub: String,
    state: String,
    tone: &'static str,
}

impl Told {
    fn of(listed: &Listed) -> Self {
        match listed {
            Listed::Whole(workflow) => {
                let request: Option<Request> = workflow.request.open(Tag::Request).ok();
                let (person, source) = (&workflow.person_ref, &workflow.source);
                Self {
                    who: request.map_or_else(|| person.to_string(), |request| full_name(&request)),
                    sub: format!("{person}, {source} {}", workflow.source_ref),
                    state: workflow.state.in_words().to_owned(),
                    tone: tone(&workflow.state),
                }
            }
            Listed::Unreadable(told) => Self {
                who: told.id.to_string(),
                sub: "this record cannot be read; it must be mended in the database".to_owned(),
                state: visible(&told.state),
                tone: "alert",
            },
        }
    }
}

fn verified(clock: &LeaverClock) -> String {
    match clock.end {
        ClockEnd::Open => "not yet".to_owned(),
        ClockEnd::Verified(read) => read.in_words(),
        ClockEnd::Unverified(rested) => format!("never; at rest since {}", rested.in_words()),
    }
}

fn own(clock: &LeaverClock, now: Timestamp) -> String {
    match (clock.end, clock.own_lag()) {
        (_, Some(lag)) => lasting(lag),
        (ClockEnd::Open, None) if clock.starts > now => "not begun".to_owned(),
        (ClockEnd::Open, None) => format!("{} so far", lasting(now.since(clock.starts))),
        (ClockEnd::Verified(_) | ClockEnd::Unverified(_), None) => "none".to_owned(),
    }
}

fn lasting(length: TimeDelta) -> String {
    time_in_words::span(length).unwrap_or_else(|| "seconds".to_owned())
}
