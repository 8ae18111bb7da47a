//! A leaver's account that the vault does not have any more: its access has ended, whoever ended it.
//!
//! Must hold: told only where the vault answers, twice, and shows neither the approved number nor the approved name, and
//! where it tells that our account sees everybody; otherwise the account may be out of our sight, which is for a person,
//! as is a name that another number holds now. Only reads.

use super::act::Told;
use super::talk::{Fault, Talk};
use crate::domain::kind::Kind;
use crate::domain::removal::{GONE, out_of_sight};
use crate::domain::step::Outcome;
use crate::target::{Sight, StepCall};

impl Talk<'_> {
    /// What a step comes to that did not see the account: nothing is left to do where it is gone for good.
    pub(super) async fn unless_gone(
        &mut self,
        call: &StepCall<'_>,
        told: Result<Told, Fault>,
    ) -> Result<Told, Fault> {
        let Err(fault) = told else { return told };
        let without_effect = match fault.outcome() {
            Outcome::Unknown => false,
            Outcome::Done
            | Outcome::AlreadySo
            | Outcome::NotThere
            | Outcome::Retry { .. }
            | Outcome::OtherForm { .. }
            | Outcome::Refused
            | Outcome::NeedsPerson
            | Outcome::Misdirected { .. }
            | Outcome::TakenOut => true,
        };
        if without_effect && self.unseen && self.is_gone(call).await? {
            return match self.sight().await? {
                Sight::Whole => Ok(Told::new(Outcome::AlreadySo, GONE)),
                Sight::NotProven { why } => Err(Fault::NeedsPerson(out_of_sight(&why))),
            };
        }
        Err(fault)
    }

    async fn is_gone(&mut self, call: &StepCall<'_>) -> Result<bool, Fault> {
        let (Kind::Leaver, Some(planned)) = (call.plan.kind, &call.plan.account) else { return Ok(false) };
        for _ in 0..2 {
            let by_number = self.account(planned.id).await?;
            if by_number.is_some() || !self.users_named(call.plan.user_name.as_str()).await?.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
