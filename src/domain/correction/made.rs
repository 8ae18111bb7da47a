//! Requests that are made because something that was carried out is taken back.
//!
//! Must hold: they say no more of the person than the requests did from which they are made, and take effect as soon as
//! they are approved; nobody's access comes back without people.

use crate::domain::effective::{Effective, EffectiveAt};
use crate::domain::names::Reason;
use crate::domain::request::{
    Account, AccountTraits, Leaver, LeaverMode, LeaverTerms, Order, Rehire, Request, Subject, What,
};
use crate::domain::time::Timestamp;

/// The end of an access that was given, and is taken back.
pub fn leaver_instead(taking_back: &Request, given: &Request, now: Timestamp) -> Request {
    let terms = LeaverTerms {
        mode: LeaverMode::Disable,
        reason_code: None,
        remove_groups: true,
        revoke_sessions: false,
    };
    let what = What::Leaver(Box::new(Leaver { effective: at_once(now), subject: subject(given), terms }));
    let why = "The request for this access was taken back after it had been begun or carried out.";
    made(taking_back, given, what, why)
}

/// An access that was ended, and whose end is taken back or put off. What the person does is as the newest of these
/// messages tells it: the one that takes back, the one that ended, or else what gave the access last.
pub fn rehire_instead(
    taking_back: &Request,
    ended: &Request,
    given: Option<&Request>,
    now: Timestamp,
) -> Request {
    let traits = AccountTraits::default();
    let account = Account { traits, groups: None, change_password_on_next_logon: true };
    let what = What::Rehire(Box::new(Rehire { effective: at_once(now), subject: subject(ended), account }));
    let why = "The end of this access was taken back, or put off, after it had been begun or carried out.";
    let told = [Some(taking_back), Some(ended), given].into_iter().flatten();
    let employment = told.map(|request| &request.employment).find(|employment| !employment.is_empty());
    let employment = employment.cloned().unwrap_or_default();
    Request { employment, ..made(taking_back, ended, what, why) }
}

fn made(taking_back: &Request, earlier: &Request, what: What, why: &str) -> Request {
    Request {
        source_ref: taking_back.source_ref.clone(),
        person_ref: taking_back.person_ref.clone(),
        order: Order::New(what),
        occurred_at: taking_back.occurred_at,
        sequence: taking_back.sequence,
        employment: earlier.employment.clone(),
        ticket: taking_back.ticket.clone(),
        reason: taking_back.reason.clone().or_else(|| Reason::parse(why).ok()),
        attributes: taking_back.attributes.clone(),
    }
}

fn at_once(now: Timestamp) -> Effective {
    Effective { at: EffectiveAt::Instant(now), immediate: true }
}

fn subject(of: &Request) -> Subject {
    match (of.newcomer(), of.known_subject()) {
        (Some(newcomer), _) => Subject {
            username: Some(newcomer.username.clone()),
            first_name: Some(newcomer.first_name.clone()),
            middle_name: newcomer.middle_name.clone(),
            last_name: Some(newcomer.last_name.clone()),
            email: newcomer.email.clone(),
            distinguished_name: None,
        },
        (None, Some(known)) => known.clone(),
        (None, None) => Subject::default(),
    }
}
