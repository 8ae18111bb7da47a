//! From a foreign document to a canonical request, or to everything that is wrong with it.
//!
//! Must hold: each part is read even where another is at fault or the kind is unknown, so that the sender sees all
//! faults at once; unknown fields are refused everywhere, because a typing error must not be lost.

use chrono_tz::Tz;
use serde::{Deserialize, Deserializer};

use super::account::AsSent;
use super::canonical::{
    Joiner, Leaver, LeaverTerms, Mover, Order, Rehire, Request, ResetPassword, ResetTerms, Unsuspend, What,
};
use super::fields::{Faults, FieldFault, Fields};
use super::subject::{Employment, Subject};
use super::ticket::{Ticket, read_attributes, requester};
use super::words::{LeaverMode, LeaverReason, PasswordDelivery};
use crate::domain::effective::{AsGiven, Boundary, Effective, parse_instant, parse_zone};
use crate::domain::kind::{Kind, Op};
use crate::domain::names::{PersonRef, Reason, SourceRef};
use crate::domain::strict_json::Json;

/// The fields of `reset_password`.
pub(super) const RESET_PASSWORD: &[&str] = &["delivery", "requested_by"];
/// The fields of `leaver`.
pub(super) const LEAVER: &[&str] = &["mode", "reason_code", "remove_groups", "revoke_sessions"];
/// The fields of `effective`.
pub(super) const EFFECTIVE: &[&str] = &["at", "tz", "boundary", "immediate"];

/// What the source's settings add to the reading.
#[derive(Debug, Clone, Copy, Default)]
pub struct RequestContext {
    /// Where a bare date is lived when the request names no zone.
    pub default_zone: Option<Tz>,
}

/// The fields of a request.
pub(super) const KNOWN: &[&str] = &[
    "schema",
    "kind",
    "op",
    "source_ref",
    "amends",
    "person_ref",
    "occurred_at",
    "sequence",
    "effective",
    "subject",
    "employment",
    "ticket",
    "reason",
    "attributes",
    "account",
    "leaver",
    "reset_password",
];

impl Request {
    /// Reads `jml/1`; every fault is told, each with its place.
    pub fn parse(json: &Json, context: &RequestContext) -> Result<Self, Vec<FieldFault>> {
        let faults = Faults::default();
        let request =
            Fields::open(json, String::new(), KNOWN, &faults).and_then(|fields| read(&fields, *context));
        match (request, faults.into_vec()) {
            (Some(request), none) if none.is_empty() => Ok(request),
            (None, none) if none.is_empty() => Err(vec![incomplete()]),
            (_, faults) => Err(faults),
        }
    }
}

/// Nothing is ever missing without a fault of its own; this keeps a slip in here from passing as "no faults".
fn incomplete() -> FieldFault {
    FieldFault { pointer: String::new(), code: "incomplete", wanted: "a complete request".to_owned() }
}

/// The stored form is valid `jml/1` and passes the same rules.
impl<'de> Deserialize<'de> for Request {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        let json = Json::from_value(serde_json::Value::deserialize(input)?);
        Self::parse(&json, &RequestContext::default()).map_err(|faults| {
            let told: Vec<String> =
                faults.iter().map(|fault| format!("{} {}", fault.pointer, fault.code)).collect();
            serde::de::Error::custom(format!("not a canonical request: {}", told.join(", ")))
        })
    }
}

/// The parts that depend on the kind, each read in its widest form.
struct Parts {
    effective: Option<Effective>,
    subject: Subject,
    account: AsSent,
    leaver: LeaverTerms,
    reset: Option<ResetTerms>,
}

fn read(fields: &Fields<'_>, context: RequestContext) -> Option<Request> {
    fields.require("schema", "jml/1");
    fields.choice("schema", &[()], |()| "jml/1");
    fields.require("kind", "what is to happen");
    let kind = fields.choice("kind", &Kind::ALL, Kind::as_str);
    let op = if fields.has("op") { fields.choice("op", &Op::ALL, Op::as_str) } else { Some(Op::New) };
    fields.require("source_ref", "the sender's own id of this event");
    let source_ref = fields.text("source_ref", SourceRef::parse);
    fields.require("person_ref", "the person's stable id at the source");
    let person_ref = fields.text("person_ref", PersonRef::parse);
    let occurred_at = fields.text("occurred_at", parse_instant);
    let sequence = fields.count("sequence");
    let employment = Employment::read(fields);
    let ticket = Ticket::read(fields);
    let reason = fields.text("reason", Reason::parse);
    let attributes = read_attributes(fields);
    let amends = fields.text("amends", SourceRef::parse);
    if amends.is_some() && amends == source_ref {
        fields.fault("amends", "same_reference", "an earlier source_ref than this request's own");
    }
    let parts = read_parts(fields, kind, context);
    if let (Some(kind), Some(op)) = (kind, op) {
        check_fields_of(fields, kind, op);
    }
    let order = match op? {
        Op::New => Order::New(what(kind?, parts)?),
        Op::Amend => Order::Amend { amends: amends?, what: what(kind?, parts)? },
        Op::Rescind => Order::Rescind { amends: amends?, kind: kind?, subject: parts.subject },
    };
    Some(Request {
        source_ref: source_ref?,
        person_ref: person_ref?,
        order,
        occurred_at,
        sequence,
        employment,
        ticket,
        reason,
        attributes,
    })
}

fn what(kind: Kind, parts: Parts) -> Option<What> {
    let Parts { effective, subject, account, leaver, reset } = parts;
    Some(match kind {
        Kind::Joiner => What::Joiner(Box::new(Joiner {
            effective: effective?,
            subject: subject.into_newcomer()?,
            account: account.into_account(),
        })),
        Kind::Mover => {
            What::Mover(Box::new(Mover { effective: effective?, subject, account: account.into_change() }))
        }
        Kind::Leaver => What::Leaver(Box::new(Leaver { effective: effective?, subject, terms: leaver })),
        Kind::Rehire => {
            What::Rehire(Box::new(Rehire { effective: effective?, subject, account: account.into_account() }))
        }
        Kind::ResetPassword => What::ResetPassword(Box::new(ResetPassword { subject, terms: reset? })),
        Kind::Unsuspend => What::Unsuspend(Box::new(Unsuspend { subject })),
    })
}

fn read_parts(fields: &Fields<'_>, kind: Option<Kind>, context: RequestContext) -> Parts {
    let boundary = match kind {
        Some(Kind::Leaver) => Boundary::EndOfDay,
        Some(Kind::Joiner | Kind::Mover | Kind::Rehire | Kind::ResetPassword | Kind::Unsuspend) | None => {
            Boundary::StartOfDay
        }
    };
    let (effective, zone) = read_effective(fields, boundary, context);
    let account = match fields.child("account", AsSent::KNOWN) {
        Some(account) => {
            let sent = AsSent::read(&account, zone);
            let expired =
                |effective: &Effective| sent.expires_at().is_some_and(|at| at <= effective.instant());
            if effective.as_ref().is_some_and(expired) {
                account.fault("expires_at", "too_early", "a time after the effective time");
            }
            sent
        }
        None => AsSent::default(),
    };
    Parts {
        effective,
        subject: Subject::read(fields),
        account,
        leaver: read_leaver(fields),
        reset: read_reset(fields),
    }
}

/// The effective time, and the zone in which the request's other bare dates are lived.
fn read_effective(
    request: &Fields<'_>,
    default_boundary: Boundary,
    context: RequestContext,
) -> (Option<Effective>, Option<Tz>) {
    let Some(fields) = request.child("effective", EFFECTIVE) else {
        return (None, context.default_zone);
    };
    fields.require("at", "a date, or a time in RFC 3339 with an offset");
    let given = fields.text("at", AsGiven::parse);
    let zone = if fields.has("tz") { fields.text("tz", parse_zone) } else { context.default_zone };
    let boundary = fields.choice("boundary", &[Boundary::StartOfDay, Boundary::EndOfDay], Boundary::as_str);
    let immediate = fields.flag("immediate").unwrap_or(false);
    if matches!(given, Some(AsGiven::Instant(_))) {
        fields.refuse("boundary", "only beside a bare date: an instant is neither end of a day");
    }
    let located = given.map(|given| given.located(zone, boundary.unwrap_or(default_boundary)));
    let at = match located {
        Some(Ok(at)) => Some(at),
        // A zone that is there but unknown has been told already.
        Some(Err(unmet)) => {
            if !fields.has("tz") {
                fields.fault("tz", unmet.code(), unmet.to_string());
            }
            None
        }
        None => None,
    };
    (at.map(|at| Effective { at, immediate }), zone)
}

fn read_leaver(request: &Fields<'_>) -> LeaverTerms {
    let mut terms = LeaverTerms {
        mode: LeaverMode::Disable,
        reason_code: None,
        remove_groups: true,
        revoke_sessions: false,
    };
    if let Some(fields) = request.child("leaver", LEAVER) {
        let mode = fields.choice("mode", LeaverMode::ALL, LeaverMode::as_str);
        terms.mode = mode.unwrap_or(terms.mode);
        terms.reason_code = fields.choice("reason_code", LeaverReason::ALL, LeaverReason::as_str);
        terms.remove_groups = fields.flag("remove_groups").unwrap_or(terms.remove_groups);
        terms.revoke_sessions = fields.flag("revoke_sessions").unwrap_or(terms.revoke_sessions);
    }
    terms
}

fn read_reset(request: &Fields<'_>) -> Option<ResetTerms> {
    let fields = request.child("reset_password", RESET_PASSWORD)?;
    fields.require("delivery", "how the new password reaches its owner");
    let delivery = fields.choice("delivery", PasswordDelivery::ALL, PasswordDelivery::as_str);
    let requested_by = fields.text("requested_by", requester);
    Some(ResetTerms { delivery: delivery?, requested_by })
}

/// Which fields a kind needs and which have no place in it.
fn check_fields_of(fields: &Fields<'_>, kind: Kind, op: Op) {
    if op == Op::New {
        fields.refuse("amends", "only where op is amend or rescind");
    } else {
        fields.require("amends", "the source_ref of the earlier request");
    }
    if op == Op::Rescind {
        for key in ["effective", "account", "leaver", "reset_password"] {
            fields.refuse(key, "nothing beside the reference: op rescind only withdraws");
        }
        return;
    }
    match kind {
        Kind::Joiner | Kind::Mover | Kind::Leaver | Kind::Rehire => {
            fields.require("effective", "from when on");
        }
        Kind::ResetPassword | Kind::Unsuspend => {
            fields.refuse("effective", "only for kinds joiner, mover, leaver and rehire");
        }
    }
    match kind {
        Kind::Joiner | Kind::Mover | Kind::Rehire => {}
        Kind::Leaver | Kind::ResetPassword | Kind::Unsuspend => {
            fields.refuse("account", "only for kinds joiner, mover and rehire");
        }
    }
    if kind != Kind::Leaver {
        fields.refuse("leaver", "only for kind leaver");
    }
    if kind == Kind::ResetPassword {
        fields.require("reset_password", "how the new password reaches its owner");
    } else {
        fields.refuse("reset_password", "only for kind reset_password");
    }
    check_account_of(fields, kind);
    if kind == Kind::Joiner {
        check_newcomer(fields);
    }
}

fn check_account_of(fields: &Fields<'_>, kind: Kind) {
    if !matches!(kind, Kind::Joiner | Kind::Rehire) {
        return;
    }
    if let Some(account) = fields.again("account") {
        account.refuse("groups_add", "only for kind mover; here groups names all");
        account.refuse("groups_remove", "only for kind mover; here groups names all");
    }
}

fn check_newcomer(fields: &Fields<'_>) {
    const NEEDED: [(&str, &str); 3] = [
        ("username", "the user name a joiner is to get"),
        ("first_name", "a joiner's given name"),
        ("last_name", "a joiner's family name"),
    ];
    match fields.again("subject") {
        Some(subject) => NEEDED.iter().for_each(|(key, wanted)| subject.require(key, wanted)),
        None => fields.require("subject", "a joiner's user name, given name and family name"),
    }
}
