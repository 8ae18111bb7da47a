//! What an owed message means now: the mail it becomes, to whom, in which thread; or why it becomes none.
//!
//! Must hold: a mail is made from what the store says at this moment, so that nobody is asked about something that is
//! over; the personal link is made anew and must match the hash that was kept when the person was asked.
//! Deliberately absent: sending, and any text (see `mail`).

use super::mail::{
    self, About, Alarm, ApprovalWanted, Command, Decided, Done, Ended, Footer, HandOver, Leavers,
    NeedsAttention, NobodyKnown, Outcome, PlanReplaced, SignInCode, VaultAwaited, Written, plain,
};
use crate::domain::approval::Verdict;
use crate::domain::audit::EventKind;
use crate::domain::canon::Tag;
use crate::domain::ids::WorkflowId;
use crate::domain::kind::Kind;
use crate::domain::names::{EmailAddress, GroupName, ShortText};
use crate::domain::request::Request;
use crate::domain::time::Timestamp;
use crate::domain::workflow::{Stalled, State};
use crate::kit::Kit;
use crate::pages::plan_in_words::in_place_of;
use crate::pages::timeline::replaced_or_taken_back;
use crate::pages::whole_in_words::also_in;
use crate::store::asks::{self, Ask};
use crate::store::outbox::OwedMessage;
use crate::store::workflows::Workflow;
use crate::store::{
    ReadFault, audit, codes, decisions, hand_overs, nobody_known, parts, plans, seals, workflows,
};

/// A mail with its addressees.
pub(super) struct Letter {
    pub to: Vec<EmailAddress>,
    /// What its thread is about; an alarm may be about nothing in particular.
    pub workflow: Option<WorkflowId>,
    pub written: Written,
}

/// Why a message becomes no mail.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLetter {
    /// What it would say is no longer so.
    #[error("not sent: {0}")]
    NotNeeded(&'static str),
    /// It can never be made.
    #[error("{0}")]
    Impossible(&'static str),
    /// The store does not answer, or holds something that makes no sense.
    #[error("the record cannot be read")]
    Read(#[from] ReadFault),
}

/// Longest name, and longest words of an alarm, in characters.
const LONGEST_NAME: usize = 80;
const LONGEST_WORDS: usize = 600;
/// So many requests are named in one mail; and so many characters at most stand in one line about one.
const MOST_NAMED: usize = 20;
const LONGEST_LINE: usize = 240;
/// More events than this are not looked through for one mail.
const MOST_EVENTS: u64 = 1_000;

/// Makes the mail of a message, or says why there is none.
pub(super) async fn letter(kit: &Kit, owed: &OwedMessage) -> Result<Letter, NoLetter> {
    let head = seals::latest_head(&kit.store).await?;
    let footer = Footer { head: head.map(|head| head.line()) };
    let workflow = match owed.workflow {
        Some(id) => workflows::find(&kit.store, id).await?,
        None => None,
    };
    if owed.kind == "alarm" {
        return alarm(kit, owed, workflow.as_ref(), &footer).await;
    }
    if owed.kind == "sign_in_code" {
        return sign_in_code(kit, owed, &footer).await;
    }
    if owed.kind == nobody_known::WORD {
        return about_nobody_known(kit, owed, &footer).await;
    }
    let workflow = workflow.ok_or(NoLetter::Impossible("the workflow it tells about is not there"))?;
    match owed.kind.as_str() {
        "needs_attention" => needs_attention(kit, owed, &workflow, &footer).await,
        "vault_awaited" => vault_awaited(kit, owed, &workflow, &footer).await,
        "hand_over" => hand_over(kit, &workflow, &footer).await,
        _ => {
            let ask = match owed.ask {
                Some(id) => asks::ask_by_id(&kit.store, id).await?,
                None => None,
            };
            let ask = ask.ok_or(NoLetter::Impossible("the asking it tells about is not there"))?;
            let written = to_asked(kit, owed, &workflow, &ask, &footer).await?;
            Ok(Letter { to: vec![ask.approver], workflow: Some(workflow.id), written })
        }
    }
}

async fn to_asked(
    kit: &Kit,
    owed: &OwedMessage,
    workflow: &Workflow,
    ask: &Ask,
    footer: &Footer,
) -> Result<Written, NoLetter> {
    let link = link(kit, ask)?;
    let about = about(kit, workflow).await?;
    let written = match owed.kind.as_str() {
        kind @ ("approval_wanted" | "reminder") => {
            let until = still_wanted(kit, workflow, ask).await?;
            let runs = runs(workflow.not_before, kit.world.now());
            let until = until.map(Timestamp::in_words);
            let replaced = workflows::ended_by(&kit.store, workflow.id).await?;
            let replaces = replaced.last().map(in_place_of);
            let wanted = ApprovalWanted { about, runs, until, replaces, link };
            if kind == "reminder" {
                mail::reminder(&wanted, footer)
            } else {
                mail::approval_wanted(&wanted, footer)
            }
        }
        "decided" => {
            let outcome = outcome(kit, workflow, ask).await?;
            mail::decided(&Decided { about, outcome, link }, footer)
        }
        "plan_replaced" => mail::plan_replaced(&PlanReplaced { about, link }, footer),
        "replaced" => mail::replaced(&ended(kit, workflow, about, link).await?, footer),
        "withdrawn" => mail::withdrawn(&ended(kit, workflow, about, link).await?, footer),
        "done" => mail::done(&Done { about, link }, footer),
        _ => return Err(NoLetter::Impossible("this version does not know its kind")),
    };
    written.map_err(|_| UNWRITABLE)
}

/// What took its place or took it back, as its trail tells.
async fn ended(kit: &Kit, workflow: &Workflow, about: About, link: String) -> Result<Ended, NoLetter> {
    let told = audit::chain(&kit.store, workflow.id.into(), 0, MOST_EVENTS).await?;
    let kinds = [EventKind::WorkflowSuperseded, EventKind::WorkflowCancelled].map(EventKind::as_str);
    let last = told.iter().rfind(|told| kinds.contains(&told.event.kind.as_str()));
    let last = last.ok_or(NoLetter::Impossible("the end it tells about is not there"))?;
    let why = replaced_or_taken_back(last);
    let mut signs = why.chars();
    let first: String = signs.next().into_iter().flat_map(char::to_uppercase).collect();
    let left = match last.text("done") {
        Some(_) => "Part of it had been carried out by then; its page tells what.",
        None => "Nothing was changed in the vault.",
    };
    Ok(Ended { about, why: plain(&format!("{first}{}.", signs.as_str()), LONGEST_WORDS), left, link })
}

/// Is this person's answer still wanted? Then until when.
async fn still_wanted(kit: &Kit, workflow: &Workflow, ask: &Ask) -> Result<Option<Timestamp>, NoLetter> {
    if workflow.plan_number != ask.plan_number {
        return Err(NoLetter::NotNeeded("the plan was replaced"));
    }
    let (stage, until) = match &workflow.state {
        State::PendingApproval { stage, expires_at } => (*stage, *expires_at),
        State::Planning => return Err(NoLetter::NotNeeded("the plan was replaced")),
        State::Approved { .. }
        | State::Running
        | State::Succeeded
        | State::Rejected
        | State::Expired
        | State::Cancelled
        | State::Superseded
        | State::Failed { .. }
        | State::NeedsAttention { .. } => return Err(NoLetter::NotNeeded("already decided")),
    };
    if stage != ask.stage {
        return Err(NoLetter::NotNeeded("the stage is over"));
    }
    if until.is_some_and(|until| until <= kit.world.now()) {
        return Err(NoLetter::NotNeeded("the time for an answer is over"));
    }
    let key = ask.approver.key();
    let said = decisions::of_workflow(&kit.store, workflow.id).await?;
    let answered = said.iter().any(|one| {
        one.plan_number == ask.plan_number && one.said.stage == ask.stage && one.said.by.key() == key
    });
    if answered { Err(NoLetter::NotNeeded("this person has answered")) } else { Ok(until) }
}

/// How the asking about this plan ended.
async fn outcome(kit: &Kit, workflow: &Workflow, ask: &Ask) -> Result<Outcome, NoLetter> {
    match &workflow.state {
        State::Expired if lapsed(kit, workflow).await? => {
            return Ok(Outcome::Other(
                "closed: it was approved, but its run did not begin in time, so the approval has ended and nothing was done",
            ));
        }
        State::Expired => return Ok(Outcome::Expired),
        State::Failed { .. } => return Ok(Outcome::GivenUp),
        State::Cancelled | State::Superseded => return Ok(Outcome::Other(workflow.state.in_words())),
        State::Planning
        | State::PendingApproval { .. }
        | State::Approved { .. }
        | State::Running
        | State::Succeeded
        | State::Rejected
        | State::NeedsAttention { .. } => {}
    }
    if let Some(by_operator) = by_operator(kit, workflow).await? {
        return Ok(by_operator);
    }
    let recorded = decisions::of_workflow(&kit.store, workflow.id).await?;
    let last = recorded.into_iter().rfind(|one| one.plan_number == ask.plan_number);
    let last = last.ok_or(NoLetter::Impossible("the decision it tells about is not there"))?.said;
    let (by, at) = (last.by.to_string(), last.at.in_words());
    Ok(match last.verdict {
        Verdict::Approve => Outcome::Approved(by, at),
        Verdict::Reject => Outcome::Rejected(by, at),
    })
}

/// Was it approved before it expired?
async fn lapsed(kit: &Kit, workflow: &Workflow) -> Result<bool, NoLetter> {
    let told = audit::chain(&kit.store, workflow.id.into(), 0, MOST_EVENTS).await?;
    let expired = told.iter().rfind(|told| told.event.kind == EventKind::WorkflowExpired.as_str());
    Ok(expired.is_some_and(|told| told.text("after").is_some()))
}

/// What an operator decided where those who were asked had not.
async fn by_operator(kit: &Kit, workflow: &Workflow) -> Result<Option<Outcome>, NoLetter> {
    let told = audit::chain(&kit.store, workflow.id.into(), 0, MOST_EVENTS).await?;
    let decided = [EventKind::WorkflowApproved, EventKind::WorkflowRejected].map(EventKind::as_str);
    let last = told.iter().rfind(|told| decided.contains(&told.event.kind.as_str()));
    let Some(last) = last.filter(|told| told.event.actor == "operator") else { return Ok(None) };
    let by =
        last.personal("actor").map_or_else(|| "an operator".to_owned(), |name| plain(name, LONGEST_NAME));
    let at = last.event.at.in_words();
    let approved = last.event.kind == EventKind::WorkflowApproved.as_str();
    Ok(Some(if approved { Outcome::Approved(by, at) } else { Outcome::Rejected(by, at) }))
}

async fn vault_awaited(
    kit: &Kit,
    owed: &OwedMessage,
    workflow: &Workflow,
    footer: &Footer,
) -> Result<Letter, NoLetter> {
    if workflow.state != State::Planning {
        return Err(NoLetter::NotNeeded("the vault was read"));
    }
    let to = owed.recipient.clone().ok_or(NoLetter::Impossible("it has no addressee"))?;
    let since = workflow.vault_awaited_since.map(Timestamp::in_words);
    let written = mail::vault_awaited(&VaultAwaited { about: about(kit, workflow).await?, since }, footer);
    Ok(Letter { to: vec![to], workflow: Some(workflow.id), written: written.map_err(|_| UNWRITABLE)? })
}

async fn hand_over(kit: &Kit, workflow: &Workflow, footer: &Footer) -> Result<Letter, NoLetter> {
    let found = hand_overs::of_workflow(&kit.store, workflow.id).await?;
    let found = found.ok_or(NoLetter::Impossible("the hand-over it tells about is not there"))?;
    let hand_overs::State::Waiting(end) = found.state else {
        return Err(NoLetter::NotNeeded("the password is not to be had any more"));
    };
    if end <= kit.world.now() {
        return Err(NoLetter::NotNeeded("the password is not to be had any more"));
    }
    let to = found.recipient.ok_or(NoLetter::Impossible("it has no addressee"))?;
    let token = kit.keys.hand_over_token(found.secret, &to);
    if Some(token.hash()) != found.link_hash {
        return Err(NoLetter::Impossible("the key has changed, so its link cannot be made again"));
    }
    let base = kit.settings.http.public_url.as_str().trim_end_matches('/');
    let link = format!("{base}/credentials/{}", token.reveal());
    let mail = HandOver { about: about(kit, workflow).await?, link, until: end.in_words() };
    let written = mail::hand_over(&mail, footer).map_err(|_| UNWRITABLE)?;
    Ok(Letter { to: vec![to], workflow: Some(workflow.id), written })
}

/// A mail of its own, in nobody's thread: what it is for stands on the page that asks for it.
async fn sign_in_code(kit: &Kit, owed: &OwedMessage, footer: &Footer) -> Result<Letter, NoLetter> {
    let code = match owed.code {
        Some(id) => codes::find(&kit.store, id).await?,
        None => None,
    };
    let code = code.ok_or(NoLetter::Impossible("the code it brings is not there"))?;
    if !code.open || code.expires_at <= kit.world.now() {
        return Err(NoLetter::NotNeeded("the code holds no more"));
    }
    // A command brings its own settings; whose code is mailed is said by those of this service.
    let operators = &kit.settings.operators;
    let known = if code.for_command {
        operators.may_act(&code.address)
    } else {
        operators.may_sign_in(&code.address)
    };
    if code.workflow.is_none() && !known {
        return Err(NoLetter::NotNeeded("by the settings of this service nobody of that address signs in"));
    }
    let digits = kit.keys.sign_in_code(code.id, &code.address, code.browser);
    if kit.keys.sign_in_code_hash(code.id, digits.reveal()) != code.code_hash {
        return Err(NoLetter::Impossible("the key has changed, so its code cannot be made again"));
    }
    let mail = SignInCode { code: digits.reveal().to_owned(), until: code.expires_at.in_words() };
    let written = mail::sign_in_code(&mail, footer).map_err(|_| UNWRITABLE)?;
    Ok(Letter { to: vec![code.address], workflow: None, written })
}

async fn needs_attention(
    kit: &Kit,
    owed: &OwedMessage,
    workflow: &Workflow,
    footer: &Footer,
) -> Result<Letter, NoLetter> {
    let State::NeedsAttention { reason, stalled } = &workflow.state else {
        return Err(NoLetter::NotNeeded("somebody has seen to it"));
    };
    let stalled = match stalled {
        Stalled::Planning => "while its plan was made",
        Stalled::Approved => "before its first step, though it is approved",
        Stalled::Running => "in the middle of its steps",
        Stalled::Undecided => "before anybody had decided",
        Stalled::Held => "before its first step, held with others of its source",
    };
    let reason = without_groups(kit, Some(workflow), reason).await?;
    let mail = NeedsAttention {
        workflow: workflow.id.to_string(),
        stalled,
        reason,
        link: page_of(kit, workflow),
        commands: commands(workflow),
    };
    let written = mail::needs_attention(&mail, footer).map_err(|_| UNWRITABLE)?;
    Ok(Letter { to: operators(kit, owed)?, workflow: Some(workflow.id), written })
}

/// What an operator may do at a command line about a workflow that has stopped there.
fn commands(workflow: &Workflow) -> Vec<Command> {
    let State::NeedsAttention { stalled, .. } = &workflow.state else { return Vec::new() };
    let id = workflow.id;
    let line = |verb: &str, which: &str, who: &str, does| Command {
        line: format!("countersign workflow {verb} {id}{which}{who} --reason TEXT --config FILE"),
        does,
    };
    let (as_mail, retry) = (" --as MAIL", "try again from where it stopped");
    let settles = if workflow.kind == Kind::Leaver { as_mail } else { "" };
    let mut commands = vec![line("retry", "", "", retry)];
    match stalled {
        Stalled::Undecided => commands.extend([
            line("decide", " --approve", as_mail, "decide in place of those who have not: it is carried out"),
            line("decide", " --reject", as_mail, "decide in place of those who have not: it ends"),
        ]),
        Stalled::Running if workflow.kind == Kind::Joiner => commands.extend([
            line("mark-done", "", settles, "where it waits for a step that is done by hand elsewhere: it was done"),
            line(
                "adopt",
                " --user-id NUMBER",
                "",
                "after a lost attempt to make the account: the one that was found, by its number, is this workflow's own",
            ),
        ]),
        Stalled::Running => {
            let does = "where it waits for a step that is done by hand elsewhere: it was done";
            commands.push(line("mark-done", "", settles, does));
        }
        Stalled::Held => {
            let held = |verdict: &str, does| Command {
                line: format!("countersign held {verdict} BATCH {id} --as MAIL --reason TEXT --config FILE"),
                does,
            };
            return vec![
                held("release", "propose, or confirm, that it is carried out"),
                held("reject", "propose, or confirm, that it is not"),
            ];
        }
        Stalled::Planning | Stalled::Approved => {}
    }
    commands.push(line("give-up", "", settles, "end it"));
    commands
}

/// Its page on the console.
fn page_of(kit: &Kit, workflow: &Workflow) -> String {
    let base = kit.settings.http.public_url.as_str().trim_end_matches('/');
    format!("{base}/workflows/{}", workflow.id)
}

async fn alarm(
    kit: &Kit,
    owed: &OwedMessage,
    workflow: Option<&Workflow>,
    footer: &Footer,
) -> Result<Letter, NoLetter> {
    let words = owed.words.as_deref().unwrap_or("Something is wrong; the audit trail says what.");
    let words = without_groups(kit, workflow, words).await?;
    let waits =
        |workflow: &Workflow| matches!(workflow.state, State::NeedsAttention { stalled: Stalled::Held, .. });
    let base = kit.settings.http.public_url.as_str().trim_end_matches('/');
    let held = workflow.is_some_and(waits).then(|| format!("{base}/held"));
    let page = workflow.filter(|_| held.is_none()).map(|workflow| page_of(kit, workflow));
    let mail = Alarm { workflow: owed.workflow.map(|id| id.to_string()), words, held, page };
    let written = mail::alarm(&mail, footer).map_err(|_| UNWRITABLE)?;
    Ok(Letter { to: operators(kit, owed)?, workflow: owed.workflow, written })
}

/// One mail about all leavers that name nobody whom we know, and all whose account cannot be seen.
async fn about_nobody_known(kit: &Kit, owed: &OwedMessage, footer: &Footer) -> Result<Letter, NoLetter> {
    let waiting = nobody_known::waiting(&kit.store, owed.owed_since).await?;
    if waiting.nobody.is_empty() && waiting.unseen.is_empty() {
        return Err(NoLetter::NotNeeded("somebody has seen to them"));
    }
    let line = |one: &Workflow| plain(&format!("{}, from {}", one.source_ref, one.source), LONGEST_LINE);
    let named = |those: &[Workflow]| Leavers {
        how_many: those.len(),
        references: those.iter().take(MOST_NAMED).map(line).collect(),
    };
    let base = kit.settings.http.public_url.as_str().trim_end_matches('/');
    let mail = NobodyKnown {
        nobody: named(&waiting.nobody),
        unseen: named(&waiting.unseen),
        link: format!("{base}/workflows?state=needs_attention&kind=leaver"),
    };
    let written = mail::nobody_known(&mail, footer).map_err(|_| UNWRITABLE)?;
    Ok(Letter { to: operators(kit, owed)?, workflow: None, written })
}

/// The operators; or the one of them for whom alone the message is still owed, since the others have it.
fn operators(kit: &Kit, owed: &OwedMessage) -> Result<Vec<EmailAddress>, NoLetter> {
    let is_meant = |one: &&EmailAddress| owed.recipient.as_ref().is_none_or(|alone| alone == *one);
    let to: Vec<EmailAddress> = kit.settings.operators.mail.iter().filter(is_meant).cloned().collect();
    if to.is_empty() {
        return Err(NoLetter::NotNeeded("whom it was for is no operator any more"));
    }
    Ok(to)
}

const UNWRITABLE: NoLetter = NoLetter::Impossible("its text cannot be made");

/// Words for operators, unless they name a group of the settings, of the request or of the plan; and none where that
/// cannot be told, since operators must hear of a broken record all the more.
async fn without_groups(
    kit: &Kit,
    workflow: Option<&Workflow>,
    words: &str,
) -> Result<Option<String>, NoLetter> {
    let groups = match groups_known(kit, workflow).await {
        Ok(groups) => groups,
        Err(fault @ ReadFault::Database(_)) => return Err(fault.into()),
        Err(ReadFault::Inconsistent { .. } | ReadFault::Corrupt(_) | ReadFault::Cleared(_)) => {
            return Ok(None);
        }
    };
    let folded = words.to_lowercase();
    // The vault shows groups, too, that stand nowhere with us; whoever tells of one says so.
    let told = folded.contains("group ");
    let named = told || groups.iter().any(|group| folded.contains(group.as_str()));
    Ok((!named).then(|| plain(words, LONGEST_WORDS)))
}

async fn groups_known(kit: &Kit, workflow: Option<&Workflow>) -> Result<Vec<String>, ReadFault> {
    let mut groups: Vec<String> = Vec::new();
    groups
        .extend(kit.settings.targets.iter().flat_map(|target| &target.grantable_groups).map(GroupName::key));
    groups.extend(kit.settings.profiles.iter().flat_map(|profile| &profile.groups).map(GroupName::key));
    let Some(workflow) = workflow else { return Ok(groups) };
    let request: Request = workflow.request.open(Tag::Request)?;
    groups.extend(request.named_groups().into_iter().map(GroupName::key));
    if let Some(kept) = plans::find(&kit.store, workflow.id, workflow.plan_number).await? {
        groups.extend(kept.sealed.open()?.groups().iter().map(GroupName::key));
    }
    Ok(groups)
}

/// The reader's own link, under the address of the settings and no other.
fn link(kit: &Kit, ask: &Ask) -> Result<String, NoLetter> {
    let token = kit.keys.link_token(ask.workflow, &ask.approver, ask.stage, ask.plan_number);
    if token.hash() != ask.link_hash {
        return Err(NoLetter::Impossible("the key has changed, so its link cannot be made again"));
    }
    let base = kit.settings.http.public_url.as_str().trim_end_matches('/');
    Ok(format!("{base}/approve/{}", token.reveal()))
}

/// What it is about, as its plan has it: a joiner for somebody who has an account is a change.
async fn about(kit: &Kit, workflow: &Workflow) -> Result<About, NoLetter> {
    let whole = parts::whole(&kit.store, workflow).await?;
    let also = also_in(workflow, &whole).map(|also| format!(" {also}")).unwrap_or_default();
    let kept = plans::find(&kit.store, workflow.id, workflow.plan_number).await?;
    let planned = kept.map(|kept| kept.sealed.open()).transpose().map_err(ReadFault::from)?;
    let kind = planned.map_or(workflow.kind, |plan| plan.kind);
    let request: Request = workflow.request.open(Tag::Request).map_err(ReadFault::from)?;
    let whom = plain(&display_name(workflow, &request), LONGEST_NAME);
    let what = match kind {
        Kind::Joiner => format!("a new account for {whom}"),
        Kind::Mover => format!("changed access for {whom}"),
        Kind::Leaver => format!("the end of the access of {whom}{also}"),
        Kind::Rehire => format!("access once more for {whom}"),
        Kind::ResetPassword => format!("a new password for {whom}"),
        Kind::Unsuspend => format!("an end to the suspension of {whom}"),
    };
    Ok(About { what, source: workflow.source.to_string() })
}

/// First and last name, else the account's name, else the source's own reference of the person.
fn display_name(workflow: &Workflow, request: &Request) -> String {
    if let Some(newcomer) = request.newcomer() {
        return format!("{} {}", newcomer.first_name, newcomer.last_name);
    }
    let subject = request.known_subject();
    let names = subject.map(|subject| [subject.first_name.as_ref(), subject.last_name.as_ref()]);
    let names: Vec<&str> = names.into_iter().flatten().flatten().map(ShortText::as_str).collect();
    if !names.is_empty() {
        return names.join(" ");
    }
    workflow.user_name.as_ref().map_or_else(|| workflow.person_ref.to_string(), ToString::to_string)
}

fn runs(not_before: Option<Timestamp>, now: Timestamp) -> String {
    match not_before.filter(|due| *due > now) {
        Some(due) => format!("at {}", due.in_words()),
        None => "as soon as it is approved".to_owned(),
    }
}
