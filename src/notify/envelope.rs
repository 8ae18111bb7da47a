//! A letter as a message on the wire: addresses, thread, and the headers that say a machine wrote it.
//!
//! Must hold: the id of a mail is the id of the message that was owed, so that a copy sent after a crash is seen to
//! be one; all mails about one workflow answer to one root; the date is the service's own.

use lettre::address::Envelope;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};
use lettre::{Address, Message};

use super::letter::Letter;
use crate::config::Mail;
use crate::domain::ids::MessageId;
use crate::domain::names::EmailAddress;
use crate::domain::time::Timestamp;

/// An address or a text that the mail library does not take.
#[derive(Debug, thiserror::Error)]
#[error("it cannot be put into the form of a mail")]
pub(super) struct Unfit;

/// To whom the server is asked to bring a message; what its headers say stays the same.
#[derive(Debug, Clone, Copy)]
pub(super) enum HandTo<'a> {
    /// To every addressee.
    All,
    /// To one of them.
    One(&'a EmailAddress),
}

/// Builds the message of a letter.
pub(super) fn message(
    settings: &Mail,
    id: MessageId,
    letter: &Letter,
    hand_to: HandTo<'_>,
    now: Timestamp,
) -> Result<Message, Unfit> {
    let from = settings.from.as_str();
    let domain = from.rsplit_once('@').map_or("localhost", |(_, domain)| domain);
    let name = settings.from_name.as_ref().map(ToString::to_string);
    let mut builder = Message::builder()
        .from(Mailbox::new(name, address(&settings.from)?))
        .subject(letter.written.subject.clone())
        .date(now.as_utc().into())
        .message_id(Some(format!("<{id}@{domain}>")))
        .raw_header(HeaderValue::new(
            HeaderName::new_from_ascii_str("Auto-Submitted"),
            "auto-generated".to_owned(),
        ));
    for to in &letter.to {
        builder = builder.to(Mailbox::new(None, address(to)?));
    }
    if let Some(workflow) = letter.workflow {
        let root = format!("<workflow-{workflow}@{domain}>");
        builder = builder.in_reply_to(root.clone()).references(root);
    }
    if let HandTo::One(to) = hand_to {
        let envelope = Envelope::new(Some(address(&settings.from)?), vec![address(to)?]);
        builder = builder.envelope(envelope.map_err(|_| Unfit)?);
    }
    let parts = MultiPart::alternative_plain_html(letter.written.text.clone(), letter.written.html.clone());
    builder.multipart(parts).map_err(|_| Unfit)
}

fn address(address: &EmailAddress) -> Result<Address, Unfit> {
    address.as_str().parse().map_err(|_| Unfit)
}
