//! Changing fields of the account's record.
//!
//! Must hold: the record is written whole, as it was read a moment before, with the approved fields changed; afterwards
//! the approved fields are there and no other differs. Who else changed it is not known, so it is told that
//! somebody did, by the names of the fields.

use serde_json::json;

use super::act::Told;
use super::edit::Edit;
use super::profile::{place_of, shape_of, shows};
use super::put::Changed;
use super::talk::{Fault, Talk};
use super::users::{Account, Shape};
use crate::domain::plan::UserChange;
use crate::domain::snapshot::ProfileField;
use crate::domain::step::Outcome;
use crate::target::StepCall;

impl Talk<'_> {
    pub(super) async fn update_user(
        &mut self,
        call: &StepCall<'_>,
        change: &UserChange,
    ) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        if unchanged(change, &account).is_empty() {
            return Ok(Told::new(Outcome::AlreadySo, "the record is already as approved"));
        }
        let meanwhile = meanwhile(change, &account);
        let edits = edits(change, shape_of(call.plan.dialect.user_shape, &account));
        Ok(match self.change(&account, &edits).await? {
            Changed::Seen => Told::new(
                Outcome::Done,
                format!("changed {} and read it back; nothing else changed{meanwhile}", in_words(change)),
            ),
            Changed::NotSeen(names) => Told::new(
                Outcome::Unknown,
                format!(
                    "the vault accepted the change, but the user's record does not show it yet in: {}",
                    names.join(", ")
                ),
            ),
            Changed::Lost(names) => Told::lost(&names),
        })
    }

    pub(super) async fn look_for_update(
        &mut self,
        call: &StepCall<'_>,
        change: &UserChange,
    ) -> Result<Told, Fault> {
        let account = self.our_record(call).await?;
        let missing = unchanged(change, &account);
        Ok(if missing.is_empty() {
            let edits = edits(change, shape_of(call.plan.dialect.user_shape, &account));
            let seen = format!("the record shows the approved {}", in_words(change));
            Told::compared(call, &account, &edits, &seen)
        } else {
            Told::new(Outcome::NotThere, format!("not yet as approved: {}", missing.join(", ")))
        })
    }
}

/// The fields that are not yet as approved, in words.
pub(super) fn unchanged(change: &UserChange, account: &Account) -> Vec<&'static str> {
    let wanted = change.fields.iter().filter(|(field, wanted)| !shows(account, **field, &wanted.to));
    wanted.map(|(field, _)| field.in_words()).collect()
}

/// What the record neither had when the plan was made nor is to have.
fn meanwhile(change: &UserChange, account: &Account) -> String {
    let moved = change.fields.iter().filter(|(field, wanted)| {
        let was = wanted.from.as_deref().unwrap_or_default();
        !shows(account, **field, was) && !shows(account, **field, &wanted.to)
    });
    let moved: Vec<_> = moved.map(|(field, _)| field.in_words()).collect();
    if moved.is_empty() {
        return String::new();
    }
    format!("; somebody else had changed this since the plan was made: {}", moved.join(", "))
}

fn edits(change: &UserChange, shape: Shape) -> Vec<Edit> {
    let edit = |(field, wanted): (&ProfileField, &crate::domain::plan::FieldChange)| Edit {
        place: place_of(*field, shape),
        value: json!(wanted.to),
    };
    change.fields.iter().map(edit).collect()
}

fn in_words(change: &UserChange) -> String {
    change.fields.keys().map(|field| field.in_words()).collect::<Vec<_>>().join(", ")
}
