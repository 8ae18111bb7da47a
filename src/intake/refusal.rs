//! Why an authentic message is not taken in, as the sender and the record are told.
//!
//! Must hold: places, codes and rules; never a value. The record names our own fields alone, for a sender may have
//! called one after a person; the sender is told the whole place. What is at fault for good is a 4xx that no sender repeats;
//! only a database that does not answer asks for another try.

use actix_web::http::StatusCode;

use crate::domain::request::FieldFault;
use crate::store::accept::OtherMeaning;
use crate::store::deliveries::Alarm;
use crate::web::problem::{FieldProblem, Problem};

/// So many faults stand in the record.
const MOST_RECORDED: usize = 20;
/// When a sender may come again.
const RETRY_AFTER_SECONDS: u16 = 10;

/// Why an authentic message is not taken in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    /// No JSON, or JSON that two readers could understand differently.
    #[error("the body is no JSON that can be taken")]
    Unreadable(FieldFault),
    /// JSON that is no request, or a request that this source may not make.
    #[error("the request breaks rules")]
    Invalid(Vec<FieldFault>),
    /// Something of the same name is there and means something else, or the person has such a request open.
    #[error("{0}")]
    Taken(OtherMeaning),
    /// The database cannot take it now.
    #[error("the database cannot take it now")]
    Unavailable,
}

impl Refusal {
    /// The rules broken, by place and code, in words of our own.
    pub(super) fn recorded(&self) -> String {
        let faults = self.faults();
        let mut told: Vec<String> = faults
            .iter()
            .take(MOST_RECORDED)
            .map(|fault| format!("{} {}", fault.place_for_record(), fault.code))
            .collect();
        if faults.len() > MOST_RECORDED {
            told.push(format!("and {} more", faults.len() - MOST_RECORDED));
        }
        told.join(", ")
    }

    /// Do operators need to know?
    pub(super) fn alarm(&self) -> Alarm {
        match self {
            Self::Taken(OtherMeaning::SourceRef | OtherMeaning::DeliveryKey | OtherMeaning::StillOpen(_)) => {
                Alarm::Raise
            }
            // Whoever asks for an account of the vault's own has a fault that somebody ought to look into.
            Self::Invalid(faults) if faults.iter().any(|fault| fault.code == "built_in_user") => Alarm::Raise,
            Self::Taken(
                OtherMeaning::UnknownReference
                | OtherMeaning::OtherRequest(_)
                | OtherMeaning::NotOpen(_)
                | OtherMeaning::NotYet(_),
            )
            | Self::Unreadable(_)
            | Self::Invalid(_)
            | Self::Unavailable => Alarm::Keep,
        }
    }

    /// A word for the log and the metrics.
    pub(super) const fn word(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Invalid(_) => "invalid",
            Self::Taken(OtherMeaning::StillOpen(_)) => "still_open",
            Self::Taken(OtherMeaning::SourceRef | OtherMeaning::DeliveryKey) => "other_meaning",
            Self::Taken(
                OtherMeaning::UnknownReference
                | OtherMeaning::OtherRequest(_)
                | OtherMeaning::NotOpen(_)
                | OtherMeaning::NotYet(_),
            ) => "no_correction",
            Self::Unavailable => "unavailable",
        }
    }

    fn faults(&self) -> Vec<FieldFault> {
        match self {
            Self::Unreadable(fault) => vec![fault.clone()],
            Self::Invalid(faults) => faults.clone(),
            Self::Taken(OtherMeaning::SourceRef) => vec![FieldFault {
                pointer: "/source_ref".to_owned(),
                code: "source_ref_reused",
                wanted: "a source_ref of its own for each event".to_owned(),
            }],
            Self::Taken(OtherMeaning::DeliveryKey) => vec![FieldFault {
                pointer: String::new(),
                code: "delivery_id_reused",
                wanted: "a delivery id of its own for each event".to_owned(),
            }],
            Self::Taken(OtherMeaning::StillOpen(open)) => vec![FieldFault {
                pointer: "/person_ref".to_owned(),
                code: "request_still_open",
                wanted: format!(
                    "one joiner or rehire, and one mover, of a person at a time; workflow {open} is not at its end"
                ),
            }],
            Self::Taken(
                no @ (OtherMeaning::UnknownReference
                | OtherMeaning::OtherRequest(_)
                | OtherMeaning::NotOpen(_)
                | OtherMeaning::NotYet(_)),
            ) => vec![no_correction(*no)],
            Self::Unavailable => vec![],
        }
    }
}

/// Why an amendment or a withdrawal is not taken in.
fn no_correction(no: OtherMeaning) -> FieldFault {
    let (pointer, wanted) = match no {
        OtherMeaning::NotYet(kind) => (
            "/op",
            format!(
                "not available yet: what is done is made up for by a {kind}, which is asked for by itself"
            ),
        ),
        OtherMeaning::OtherRequest(earlier) => (
            "/amends",
            format!("a request of this kind about this person; workflow {earlier} is another one"),
        ),
        OtherMeaning::NotOpen(earlier) => {
            ("/amends", format!("a request that has not ended; workflow {earlier} has, so ask anew"))
        }
        OtherMeaning::UnknownReference
        | OtherMeaning::SourceRef
        | OtherMeaning::DeliveryKey
        | OtherMeaning::StillOpen(_) => {
            ("/amends", "the source_ref of an earlier request of this source".to_owned())
        }
    };
    FieldFault { pointer: pointer.to_owned(), code: code_of(no), wanted }
}

const fn code_of(no: OtherMeaning) -> &'static str {
    match no {
        OtherMeaning::SourceRef => "source_ref_reused",
        OtherMeaning::DeliveryKey => "delivery_id_reused",
        OtherMeaning::StillOpen(_) => "request_still_open",
        OtherMeaning::UnknownReference => "unknown_reference",
        OtherMeaning::OtherRequest(_) => "other_request",
        OtherMeaning::NotOpen(_) => "not_open",
        OtherMeaning::NotYet(_) => "not_available_yet",
    }
}

impl From<&Refusal> for Problem {
    fn from(refusal: &Refusal) -> Self {
        let (status, code) = match refusal {
            Refusal::Unreadable(_) => (StatusCode::BAD_REQUEST, "unreadable"),
            Refusal::Invalid(_) => (StatusCode::UNPROCESSABLE_ENTITY, "invalid"),
            Refusal::Taken(no) => (StatusCode::UNPROCESSABLE_ENTITY, code_of(*no)),
            Refusal::Unavailable => return Self::unavailable(RETRY_AFTER_SECONDS),
        };
        Self::new(status, code, refusal.to_string()).at(refusal.faults().iter().map(FieldProblem::from))
    }
}
