//! What a source asks for, held against what the settings of this moment let it ask for.
//!
//! Must hold: the same check at intake, when a plan is made and before anything is written, so that leave which is taken
//! away holds for requests that were taken in before. Deliberately absent: what a plan may contain (`access`).

use super::access::NotAllowed;
use crate::config::{SettableField, Settings, Source};
use crate::domain::names::SourceName;
use crate::domain::request::Request;
use crate::domain::time::Timestamp;

/// The fields this request sets without leave, as dotted names.
pub fn set_without_leave(source: &Source, request: &Request) -> Vec<&'static str> {
    request.set_fields().into_iter().filter(|field| !may_set(source, field)).collect()
}

fn may_set(source: &Source, field: &str) -> bool {
    let field = match field {
        // A mover's two lists are the one leave to name groups.
        "account.groups_add" | "account.groups_remove" => Some(SettableField::Groups),
        other => SettableField::parse(other),
    };
    field.is_some_and(|field| source.may_set.contains(&field))
}

/// May this source ask for this, by these settings?
pub fn permit_request(settings: &Settings, source: &SourceName, request: &Request) -> Result<(), NotAllowed> {
    let Some(known) = settings.source(source) else {
        return Err(NotAllowed::Source(source.clone()));
    };
    match set_without_leave(known, request).first() {
        None => Ok(()),
        Some(field) => Err(NotAllowed::Field { by: source.clone(), field }),
    }
}

/// Is there still time for what is asked for? An account whose end has passed is of no use to anybody.
pub fn permit_time(request: &Request, now: Timestamp) -> Result<(), NotAllowed> {
    match request.account_ends().filter(|end| *end <= now) {
        None => Ok(()),
        Some(end) => Err(NotAllowed::Ended(end)),
    }
}
