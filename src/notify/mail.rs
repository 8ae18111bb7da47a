//! What each mail says: one named function for each, over a typed template in text and in HTML.
//!
//! Must hold: no group names, no words of the requester but the names of the person; what comes from outside cannot
//! become a link, a second line or something unseen (see [`plain`]). Deliberately absent: addressees and headers.

use std::fmt::Write as _;

use askama::Template;

use crate::domain::names::is_invisible;

/// A mail without its addressee.
#[derive(Clone, PartialEq, Eq)]
pub struct Written {
    /// One line.
    pub subject: String,
    /// For readers of plain text.
    pub text: String,
    /// For everybody else.
    pub html: String,
}

/// What stands under every mail.
pub struct Footer {
    /// The line of the audit log's latest head; absent while nothing is sealed.
    pub head: Option<String>,
}

/// What a request is about, in words for its approvers.
pub struct About {
    /// For instance `a new account for Zoë O'Brien`.
    pub what: String,
    /// The configured source it came from.
    pub source: String,
}

/// To an approver: please decide.
pub struct ApprovalWanted {
    /// The request.
    pub about: About,
    /// When it is to be carried out, such as `at 2026-12-01 08:00 UTC`.
    pub runs: String,
    /// The end of the asking, such as `2026-12-01 08:00 UTC`.
    pub until: Option<String>,
    /// The request whose place it takes, for the middle of a sentence.
    pub replaces: Option<String>,
    /// The reader's own link.
    pub link: String,
}

/// How a request ended for its approvers.
pub enum Outcome {
    /// Everybody needed said yes; the last of them, and when.
    Approved(String, String),
    /// Somebody said no, and when.
    Rejected(String, String),
    /// Nobody decided in time.
    Expired,
    /// An operator ended it.
    GivenUp,
    /// It was taken back or replaced; the state in words.
    Other(&'static str),
}

/// To the other approvers: it is decided.
pub struct Decided {
    /// The request.
    pub about: About,
    /// How it ended.
    pub outcome: Outcome,
    /// The reader's own link; it only shows.
    pub link: String,
}

/// To those who were asked: the plan they were asked about is void.
pub struct PlanReplaced {
    /// The request.
    pub about: About,
    /// The reader's own link; it only shows.
    pub link: String,
}

/// To those who were asked: another request took its place, or it was taken back.
pub struct Ended {
    /// The request.
    pub about: About,
    /// Why it does not go on, as a sentence.
    pub why: String,
    /// What is left of it in the vault, as a sentence.
    pub left: &'static str,
    /// The reader's own link; it only shows.
    pub link: String,
}

/// To those who were asked: it is carried out and verified.
pub struct Done {
    /// The request.
    pub about: About,
    /// The reader's own link; it only shows.
    pub link: String,
}

/// To those who will be asked: there is nothing to decide yet.
pub struct VaultAwaited {
    /// The request.
    pub about: About,
    /// Since when the vault cannot be read.
    pub since: Option<String>,
}

/// To the recipient of an initial password: it can be fetched.
pub struct HandOver {
    /// The request that made the account.
    pub about: About,
    /// The reader's own link.
    pub link: String,
    /// The end of its time, such as `2026-12-01 08:00 UTC`.
    pub until: String,
}

/// To somebody who signs in: the code.
pub struct SignInCode {
    /// Six digits.
    pub code: String,
    /// The end of its time, such as `2026-12-01 08:00 UTC`.
    pub until: String,
}

/// To the operators: a person must look.
pub struct NeedsAttention {
    /// The workflow's id.
    pub workflow: String,
    /// Where it stopped, in words.
    pub stalled: &'static str,
    /// Why; absent where the reason would name a group.
    pub reason: Option<String>,
    /// Its page on the console.
    pub link: String,
    /// Commands that send it on or end it.
    pub commands: Vec<Command>,
}

/// A command that is offered.
pub struct Command {
    /// To be typed, but for what stands in capitals.
    pub line: String,
    /// What it does.
    pub does: &'static str,
}

/// To the operators: leavers that name nobody whom we know, and leavers whose account cannot be seen.
pub struct NobodyKnown {
    /// Who names nobody whom we know.
    pub nobody: Leavers,
    /// Whose account is gone, or out of our sight.
    pub unseen: Leavers,
    /// The list on the console.
    pub link: String,
}

/// Several leavers.
pub struct Leavers {
    /// How many.
    pub how_many: usize,
    /// The first of them, by the references of their senders.
    pub references: Vec<String>,
}

/// To the operators: something is wrong.
pub struct Alarm {
    /// The workflow's id, where it is about one.
    pub workflow: Option<String>,
    /// What happened; absent where the words would name a group.
    pub words: Option<String>,
    /// The page of held leavers, where two people are waited for.
    pub held: Option<String>,
    /// Else the workflow's page, where it is about one.
    pub page: Option<String>,
}

impl Outcome {
    /// The word that opens the subject.
    const fn word(&self) -> &'static str {
        match self {
            Self::Approved(..) => "Approved",
            Self::Rejected(..) => "Rejected",
            Self::Expired => "Expired",
            Self::GivenUp => "Given up",
            Self::Other(_) => "Closed",
        }
    }
}

macro_rules! parts {
    ($($data:ident as $text:ident $html:ident;)*) => { $(
        impl Parts for $data {
            fn parts(&self, footer: &Footer) -> Result<(String, String), askama::Error> {
                Ok(($text { mail: self, footer }.render()?, $html { mail: self, footer }.render()?))
            }
        }
    )* };
}

/// The two parts of a mail.
trait Parts {
    fn parts(&self, footer: &Footer) -> Result<(String, String), askama::Error>;
}

#[derive(Template)]
#[template(path = "mail/approval_wanted.txt")]
struct ApprovalWantedText<'a> {
    mail: &'a ApprovalWanted,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/approval_wanted.html")]
struct ApprovalWantedHtml<'a> {
    mail: &'a ApprovalWanted,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/decided.txt")]
struct DecidedText<'a> {
    mail: &'a Decided,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/decided.html")]
struct DecidedHtml<'a> {
    mail: &'a Decided,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/plan_replaced.txt")]
struct PlanReplacedText<'a> {
    mail: &'a PlanReplaced,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/plan_replaced.html")]
struct PlanReplacedHtml<'a> {
    mail: &'a PlanReplaced,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/ended.txt")]
struct EndedText<'a> {
    mail: &'a Ended,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/ended.html")]
struct EndedHtml<'a> {
    mail: &'a Ended,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/done.txt")]
struct DoneText<'a> {
    mail: &'a Done,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/done.html")]
struct DoneHtml<'a> {
    mail: &'a Done,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/vault_awaited.txt")]
struct VaultAwaitedText<'a> {
    mail: &'a VaultAwaited,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/vault_awaited.html")]
struct VaultAwaitedHtml<'a> {
    mail: &'a VaultAwaited,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/hand_over.txt")]
struct HandOverText<'a> {
    mail: &'a HandOver,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/hand_over.html")]
struct HandOverHtml<'a> {
    mail: &'a HandOver,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/sign_in_code.txt")]
struct SignInCodeText<'a> {
    mail: &'a SignInCode,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/sign_in_code.html")]
struct SignInCodeHtml<'a> {
    mail: &'a SignInCode,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/needs_attention.txt")]
struct NeedsAttentionText<'a> {
    mail: &'a NeedsAttention,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/needs_attention.html")]
struct NeedsAttentionHtml<'a> {
    mail: &'a NeedsAttention,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/nobody_known.txt")]
struct NobodyKnownText<'a> {
    mail: &'a NobodyKnown,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/nobody_known.html")]
struct NobodyKnownHtml<'a> {
    mail: &'a NobodyKnown,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/alarm.txt")]
struct AlarmText<'a> {
    mail: &'a Alarm,
    footer: &'a Footer,
}

#[derive(Template)]
#[template(path = "mail/alarm.html")]
struct AlarmHtml<'a> {
    mail: &'a Alarm,
    footer: &'a Footer,
}

parts! {
    ApprovalWanted as ApprovalWantedText ApprovalWantedHtml;
    Decided as DecidedText DecidedHtml;
    PlanReplaced as PlanReplacedText PlanReplacedHtml;
    Ended as EndedText EndedHtml;
    Done as DoneText DoneHtml;
    VaultAwaited as VaultAwaitedText VaultAwaitedHtml;
    HandOver as HandOverText HandOverHtml;
    SignInCode as SignInCodeText SignInCodeHtml;
    NeedsAttention as NeedsAttentionText NeedsAttentionHtml;
    NobodyKnown as NobodyKnownText NobodyKnownHtml;
    Alarm as AlarmText AlarmHtml;
}

/// Asks an approver.
pub fn approval_wanted(mail: &ApprovalWanted, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("Your approval is wanted: {}", mail.about.what), mail, footer)
}

/// Asks an approver who has not answered once more.
pub fn reminder(mail: &ApprovalWanted, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("Still waiting for your answer: {}", mail.about.what), mail, footer)
}

/// Tells the other approvers how it was decided.
pub fn decided(mail: &Decided, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("{}: {}", mail.outcome.word(), mail.about.what), mail, footer)
}

/// Tells those who were asked that their link is of no more use.
pub fn plan_replaced(mail: &PlanReplaced, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("The plan has changed: {}", mail.about.what), mail, footer)
}

/// Tells those who were asked that another request took its place.
pub fn replaced(mail: &Ended, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("Replaced: {}", mail.about.what), mail, footer)
}

/// Tells those who were asked that it was taken back.
pub fn withdrawn(mail: &Ended, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("Cancelled: {}", mail.about.what), mail, footer)
}

/// Tells those who were asked that it is done.
pub fn done(mail: &Done, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("Done: {}", mail.about.what), mail, footer)
}

/// Tells those who will be asked that the vault cannot be read.
pub fn vault_awaited(mail: &VaultAwaited, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("Waiting for the vault: {}", mail.about.what), mail, footer)
}

/// Tells the recipient of an initial password that it waits.
pub fn hand_over(mail: &HandOver, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("An initial password waits for you: {}", mail.about.what), mail, footer)
}

/// Brings a sign-in code. The subject does not tell it: subjects stand in the logs of mail servers.
pub fn sign_in_code(mail: &SignInCode, footer: &Footer) -> Result<Written, askama::Error> {
    write("Your sign-in code for Countersign".to_owned(), mail, footer)
}

/// Calls an operator to a workflow.
pub fn needs_attention(mail: &NeedsAttention, footer: &Footer) -> Result<Written, askama::Error> {
    write(format!("Needs attention: workflow {}", mail.workflow), mail, footer)
}

/// Tells the operators of leavers that name nobody whom we know, and of those whose account cannot be seen.
pub fn nobody_known(mail: &NobodyKnown, footer: &Footer) -> Result<Written, askama::Error> {
    let nobody = match mail.nobody.how_many {
        0 => None,
        1 => Some("1 leaver names nobody whom we know".to_owned()),
        many => Some(format!("{many} leavers name nobody whom we know")),
    };
    let unseen = match mail.unseen.how_many {
        0 => None,
        1 => Some("the account of 1 leaver cannot be seen".to_owned()),
        many => Some(format!("the accounts of {many} leavers cannot be seen")),
    };
    let subject: Vec<String> = nobody.into_iter().chain(unseen).collect();
    write(subject.join("; "), mail, footer)
}

/// Tells the operators that something is wrong.
pub fn alarm(mail: &Alarm, footer: &Footer) -> Result<Written, askama::Error> {
    let about = mail.workflow.as_ref().map_or_else(String::new, |id| format!(": workflow {id}"));
    write(format!("Alarm{about}"), mail, footer)
}

fn write(subject: String, mail: &impl Parts, footer: &Footer) -> Result<Written, askama::Error> {
    let (text, html) = mail.parts(footer)?;
    Ok(Written { subject, text, html })
}

/// Text from outside as one harmless line of at most `most` characters: what cannot be seen is shown by its number,
/// and nothing in it is taken for an address by a mail reader that makes links by itself.
pub fn plain(text: &str, most: usize) -> String {
    let mut shown = String::new();
    let mut signs = text.chars().peekable();
    while let Some(sign) = signs.next() {
        if sign.is_control() || matches!(sign, '\u{2028}' | '\u{2029}') {
            shown.push(' ');
        } else if is_invisible(sign) {
            // Writing to a String cannot fail.
            let _ = write!(shown, "[U+{:04X}]", u32::from(sign));
        } else {
            shown.push(sign);
        }
        let parted = match sign {
            '.' => signs.peek().is_some_and(|next| next.is_alphanumeric()),
            ':' => signs.peek() == Some(&'/'),
            _ => false,
        };
        if parted {
            shown.push(' ');
        }
    }
    if shown.chars().count() > most {
        shown = shown.chars().take(most.saturating_sub(1)).collect();
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests;
