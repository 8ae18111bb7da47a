//! The courier: takes one due message at a time, makes the mail, hands it over, and reports.
//!
//! Must hold: a turn with nothing due writes nothing, for a write rings the bell that wakes the courier; no
//! transaction is open while the mail server talks; tries are bounded, and what nobody got is parked with an alarm.
//! A crash between handing over and reporting sends the same mail again, under the same Message-ID.

use async_trait::async_trait;
use chrono::TimeDelta;

use super::envelope::{self, HandTo};
use super::letter::{self, Letter, NoLetter};
use super::smtp::{NotSent, Post};
use crate::domain::ids::MessageId;
use crate::domain::names::EmailAddress;
use crate::domain::retry::RetryPolicy;
use crate::domain::time::Timestamp;
use crate::kit::Kit;
use crate::store::outbox::{
    self, ClaimMessage, KeepMessage, OwedMessage, ReportMessage, Sent, SentElsewhere,
};
use crate::store::{ReadFault, WriteFault};
use crate::worker::{Did, Shown, TurnFailed, Worker, holding};

/// About half a working day in all, so that a mail server may be mended in the meantime.
const RETRY: RetryPolicy = RetryPolicy {
    most_tries: 10,
    most_time: TimeDelta::days(7),
    first_wait: TimeDelta::minutes(1),
    longest_wait: TimeDelta::hours(4),
};

/// Whom the mail server took a mail for.
enum Handed {
    /// Everybody but those whom it refused for good, if anybody.
    Whole,
    /// Not yet for these.
    InPart { still: Vec<EmailAddress>, words: String },
    /// Nobody.
    Nowhere(NotSent),
}

/// Sends owed messages.
pub struct Courier {
    kit: Kit,
    post: Box<dyn Post>,
}

impl Courier {
    /// A courier that hands its mails to `post`.
    pub fn new(kit: Kit, post: Box<dyn Post>) -> Self {
        Self { kit, post }
    }

    async fn claim(&self, until: Timestamp) -> Result<Option<OwedMessage>, TurnFailed> {
        let stamp = self.kit.world.stamp();
        let claimed = self.kit.store.write(ClaimMessage { stamp, until }).await;
        claimed.map_err(|fault| TurnFailed::doing("claiming a message")(&fault))
    }

    /// A slow mail server and many addressees take their time; meanwhile no other courier sends the same mail.
    async fn holding<T>(
        &self,
        message: MessageId,
        until: Timestamp,
        carried: impl Future<Output = T>,
    ) -> Result<T, SentElsewhere> {
        let stands = (self.kit.settings.worker.lease, until);
        holding(&self.kit.world, stands, carried, |from, until| async move {
            let keep = KeepMessage { stamp: self.kit.world.stamp(), message, from, until };
            match self.kit.store.write(keep).await {
                Ok(()) => Ok(Shown::Kept),
                Err(WriteFault::Refused(no)) => Err(no),
                Err(WriteFault::Unavailable(words) | WriteFault::Unknown(words)) => {
                    tracing::warn!(message.id = %message, fault = %words, "a mail that is being sent was not kept");
                    Ok(Shown::NotNow)
                }
            }
        })
        .await
    }

    async fn report(&self, message: MessageId, sent: Sent) -> Result<(), TurnFailed> {
        let report = ReportMessage { stamp: self.kit.world.stamp(), message, sent };
        let reported = self.kit.store.write(report).await;
        reported.map_err(|fault| TurnFailed::doing("reporting on a message")(&fault))
    }

    /// Makes and sends one mail; says what to record of it.
    async fn carry(&self, owed: &OwedMessage) -> Result<Sent, TurnFailed> {
        let letter = match letter::letter(&self.kit, owed).await {
            Ok(letter) => letter,
            Err(none @ NoLetter::NotNeeded(_)) => return Ok(Sent::NotNeeded(none.to_string())),
            // The claim ends by itself, and then the message is met again.
            Err(NoLetter::Read(fault @ ReadFault::Database(_))) => {
                return Err(TurnFailed::doing("reading what a message tells")(&fault));
            }
            Err(NoLetter::Read(fault)) => {
                tracing::error!(message.id = %owed.id, %fault, "a message tells of a record that makes no sense");
                return Ok(Sent::Parked(NoLetter::Read(fault).to_string()));
            }
            Err(none @ NoLetter::Impossible(_)) => return Ok(Sent::Parked(none.to_string())),
        };
        let given_up = owed.tries >= RETRY.most_tries;
        Ok(match self.hand_over(owed.id, &letter).await {
            Handed::Whole => Sent::Taken,
            Handed::Nowhere(NotSent::Refused(words)) => Sent::Parked(words),
            Handed::Nowhere(NotSent::NotNow(words) | NotSent::Later(words)) if given_up => {
                Sent::Parked(format!("{words}; given up after {} tries", owed.tries))
            }
            Handed::Nowhere(NotSent::NotNow(words) | NotSent::Later(words)) => {
                Sent::Later(self.next_try(owed.tries), words)
            }
            Handed::InPart { still, words } => Sent::ToSome { still, due: self.next_try(owed.tries), words },
        })
    }

    fn next_try(&self, tries: u32) -> Timestamp {
        RETRY.due(tries, self.kit.world.now(), self.kit.world.number(), None)
    }

    /// A server refuses a whole mail for one bad addressee, so the others are then served one by one.
    async fn hand_over(&self, id: MessageId, letter: &Letter) -> Handed {
        let mut fault = match self.hand_to(id, letter, HandTo::All).await {
            Ok(()) => return Handed::Whole,
            Err(not @ (NotSent::Refused(_) | NotSent::NotNow(_))) if letter.to.len() > 1 => not,
            Err(not) => return Handed::Nowhere(not),
        };
        let (mut taken, mut still) = (0, Vec::new());
        for to in &letter.to {
            match self.hand_to(id, letter, HandTo::One(to)).await {
                Ok(()) => taken += 1,
                Err(not) => {
                    tracing::error!(message.id = %id, to = %to.masked(), fault = %not, "one addressee got no mail");
                    match &not {
                        NotSent::Refused(_) => {}
                        NotSent::NotNow(_) | NotSent::Later(_) => {
                            still.push(to.clone());
                            fault = not;
                        }
                    }
                }
            }
        }
        match (taken, still.is_empty()) {
            (0, _) => Handed::Nowhere(fault),
            (_, true) => Handed::Whole,
            (_, false) => Handed::InPart { still, words: fault.to_string() },
        }
    }

    async fn hand_to(&self, id: MessageId, letter: &Letter, hand_to: HandTo<'_>) -> Result<(), NotSent> {
        let now = self.kit.world.now();
        let message = envelope::message(&self.kit.settings.mail, id, letter, hand_to, now);
        self.post.send(message.map_err(|unfit| NotSent::Refused(unfit.to_string()))?).await
    }
}

#[async_trait]
impl Worker for Courier {
    fn name(&self) -> &'static str {
        "courier"
    }

    async fn turn(&self) -> Result<Did, TurnFailed> {
        let due = outbox::next_due(&self.kit.store).await;
        match due.map_err(|fault| TurnFailed::doing("looking for a due message")(&fault))? {
            None => return Ok(Did::Idle),
            Some(due) if due > self.kit.world.now() => return Ok(Did::IdleUntil(due)),
            Some(_) => {}
        }
        // Another courier may have been quicker.
        let until = self.kit.world.now().plus(self.kit.settings.worker.lease);
        let Some(owed) = self.claim(until).await? else { return Ok(Did::Work(0)) };
        let sent = if owed.tries > RETRY.most_tries {
            Sent::Parked(format!("given up after {} tries that never ended", owed.tries - 1))
        } else {
            let Ok(carried) = self.holding(owed.id, until, self.carry(&owed)).await else {
                tracing::warn!(message.id = %owed.id, "a mail is another courier's by now");
                return Ok(Did::Work(1));
            };
            carried?
        };
        tell(&owed, &sent);
        self.report(owed.id, sent).await?;
        Ok(Did::Work(1))
    }
}

/// Logs and counts what came of one message.
fn tell(owed: &OwedMessage, sent: &Sent) {
    let to = owed.recipient.as_ref().map_or_else(|| "the operators".to_owned(), EmailAddress::masked);
    let workflow = owed.workflow.map(tracing::field::display);
    let (kind, tries) = (owed.kind.as_str(), owed.tries);
    let word = match sent {
        Sent::Taken => {
            tracing::info!(message.id = %owed.id, workflow.id = workflow, kind, to, "a mail was sent");
            "sent"
        }
        Sent::ToSome { still, due, words } => {
            tracing::warn!(
                message.id = %owed.id, workflow.id = workflow, kind, still = still.len(), tries, due = %due, fault = words,
                "a mail was taken for some, and is tried again for the others"
            );
            "sent"
        }
        Sent::Later(due, words) => {
            tracing::warn!(
                message.id = %owed.id, workflow.id = workflow, kind, to, tries, due = %due, fault = words,
                "a mail was not taken and is tried again"
            );
            "later"
        }
        Sent::Parked(words) => {
            tracing::error!(
                message.id = %owed.id, workflow.id = workflow, kind, to, tries, fault = words,
                "a mail could not be sent and is parked"
            );
            "parked"
        }
        Sent::NotNeeded(words) => {
            tracing::info!(message.id = %owed.id, workflow.id = workflow, kind, to, because = words, "a mail is not needed any more");
            "not_needed"
        }
    };
    metrics::counter!("countersign_mails_total", "kind" => owed.kind.clone(), "result" => word).increment(1);
}

#[cfg(test)]
mod tests;
