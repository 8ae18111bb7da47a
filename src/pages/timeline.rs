//! The audit trail of one workflow, one sentence an event.
//!
//! Must hold: every kind of event has its sentence; nothing is told that the event does not say; a personal value
//! that was cleared is told as cleared. Deliberately absent: proving the trail (the audit station).

use super::steps_in_words::title_of_word;
use crate::domain::audit::EventKind;
use crate::domain::kind::Kind;
use crate::domain::operator::at_the_machine;
use crate::domain::time::Timestamp;
use crate::store::audit::Told;
use crate::web::visible::visible;

/// One event, to be shown.
#[derive(Debug, Clone)]
pub struct EventInWords {
    /// Its number in the chain.
    pub position: i64,
    /// The moment for machines.
    pub at: String,
    /// The moment for people.
    pub clock: String,
    /// What happened.
    pub words: String,
}

/// One event in words.
pub fn event_in_words(told: &Told) -> EventInWords {
    EventInWords {
        position: told.event.position,
        at: told.event.at.to_string(),
        clock: format!("{} {}", told.event.at.as_utc().format("%-d %b"), told.event.at.clock_time()),
        words: sentence(told),
    }
}

/// A moment among the facts, in words.
fn moment(told: &Told, name: &str) -> String {
    let text = told.text(name).unwrap_or_default();
    Timestamp::parse(text).map_or_else(|| visible(text), Timestamp::in_words)
}

#[expect(clippy::too_many_lines, reason = "one sentence for each kind of event, in one place")]
fn sentence(told: &Told) -> String {
    let Some(kind) = EventKind::parse(&told.event.kind) else { return told.event.kind.clone() };
    let text = |name: &str| told.text(name).map(visible).unwrap_or_default();
    let personal = |name: &str| told.personal(name).map_or_else(|| "(cleared)".to_owned(), visible);
    match kind {
        EventKind::DeliveryAccepted => format!("A message of {} was taken in.", actor(told)),
        EventKind::DeliveryRepeated => {
            format!("{} sent the same once more; nothing new came of it.", actor(told))
        }
        EventKind::DeliveryRefused => {
            format!("A message of {} was refused: {}.", actor(told), text("because"))
        }
        EventKind::DeliveryIgnored => format!(
            "A message of {} was older than what had been heard of this person before, and was ignored.",
            actor(told)
        ),
        EventKind::CorrectionReceived => correction(told),
        EventKind::WorkflowReceived => received(told),
        EventKind::WorkflowSpread => format!(
            "The person has, or may have, accounts in other targets, too: this workflow ends access in {}, and one of \
             its own was made for each of {}.",
            text("target"),
            listed(told, "further")
        ),
        EventKind::WorkflowPlanned => planned(told),
        EventKind::WorkflowReplanning => {
            format!(
                "What the plan rests on has changed, so it is made again: {}.",
                clause(&personal("because"))
            )
        }
        EventKind::PlanWidened => format!(
            "The person has got more access since the approval, so plan {} takes that away, too: {}.",
            number(told, "plan"),
            text("because")
        ),
        EventKind::StepMarkedDone => {
            format!(
                "{}: {} says that it was done by hand: {}.",
                step(told),
                actor(told),
                clause(&personal("reason"))
            )
        }
        EventKind::VaultAwaited => {
            format!("The vault cannot be read: {}.", clause(&personal("because")))
        }
        EventKind::RunAwaited => format!(
            "Another request for this person comes first, workflow {}; this one goes on when that has come to rest.",
            text("run")
        ),
        EventKind::LateAccountFound => format!(
            "User number {}, which carries our mark, came up when its run had stopped; disabling it is begun.",
            number(told, "user_id")
        ),
        EventKind::LateAccountTried => {
            format!("The account that came up late: {}.", clause(&personal("words")))
        }
        EventKind::LateAccountAwaited => format!(
            "No account is found, but a create of workflow {} got no answer, so the name is watched until {}; this goes \
             on when the account is there, or can come up no more.",
            text("run"),
            clock(told, "until").unwrap_or_default()
        ),
        EventKind::StageOpened => format!("Stage {} is being asked.", stage(told)),
        EventKind::DecisionRecorded => decision(told),
        EventKind::StageReminded => format!("Who has not answered in stage {} was reminded.", stage(told)),
        EventKind::AccountProtected => {
            format!("An account that nobody may touch was asked for: {}.", clause(&personal("because")))
        }
        EventKind::HeldProposed => proposed(told),
        EventKind::CancelProposed => format!(
            "{} proposed to cancel it, and it goes on until somebody else confirms that{}",
            actor(told),
            reason(told)
        ),
        EventKind::WorkflowReleased => released(told),
        EventKind::WorkflowApproved => approved(told),
        EventKind::WorkflowRejected => {
            by_operator(told, "rejected").unwrap_or_else(|| "Rejected: one no is enough.".to_owned())
        }
        EventKind::WorkflowExpired => expired(told).to_owned(),
        EventKind::WorkflowStarted => "The run began.".to_owned(),
        EventKind::RunStopping => {
            format!("The run is to begin nothing new: {}.", replaced_or_taken_back(told))
        }
        EventKind::WorkflowSuperseded | EventKind::WorkflowCancelled => {
            let ended = replaced_or_taken_back(told);
            let done = told.text("done").map(|done| format!(" Done by then: {}.", visible(done)));
            format!("Ended: {ended}.{}", done.unwrap_or_default())
        }
        EventKind::StepBegun => begun(told),
        EventKind::StepEnded => {
            lost_create(told).unwrap_or_else(|| format!("{}: {}.", step(told), clause(&personal("words"))))
        }
        EventKind::StepLookedUp => lost_create(told)
            .unwrap_or_else(|| format!("{}, looked up: {}.", step(told), clause(&personal("words")))),
        EventKind::PersonLinked => match told.personal("known_as") {
            Some(before) => format!(
                "User number {} is known as {} from now on, and was as {}.",
                number(told, "user_id"),
                personal("user_name"),
                visible(before)
            ),
            None => format!("Person and user number {} were linked.", number(told, "user_id")),
        },
        EventKind::UnlinkProposed => format!(
            "{} proposed to take back that person and user number {} belong together{}",
            actor(told),
            number(told, "user_id"),
            reason(told)
        ),
        EventKind::PersonUnlinked => format!(
            "Two people, {} and {}, took back that person and user number {} belong together{}",
            told.personal("proposed_by").map_or_else(|| "(cleared)".to_owned(), visible),
            actor(told),
            number(told, "user_id"),
            reason(told)
        ),
        EventKind::CredentialSealed => "An initial password was generated and sealed.".to_owned(),
        EventKind::CredentialDestroyed => match told.text("because") {
            Some(because) => format!("The sealed password was erased: {}.", visible(because)),
            None => "The vault refused the password, so it was destroyed.".to_owned(),
        },
        EventKind::CredentialOffered => match told.personal("recipient") {
            Some(recipient) => format!("The sealed password waits for {}.", visible(recipient)),
            None => "The sealed password waits for its recipient or an operator.".to_owned(),
        },
        EventKind::CredentialRefused if told.text("because").is_some() => {
            format!("Behind the link to the sealed password {} were tried.", text("because"))
        }
        EventKind::CredentialRefused => {
            format!("{} reached for the sealed password, which is for somebody else.", actor(told))
        }
        EventKind::CredentialRevealed => format!("The sealed password was shown to {}.", actor(told)),
        EventKind::WorkflowSucceeded => match told.text("how") {
            Some(_) => format!("Done: {}.", clause(&personal("because"))),
            None => "Done: a fresh read showed what was approved.".to_owned(),
        },
        EventKind::WorkflowNeedsAttention => {
            format!("An operator must look: {}.", clause(&personal("reason")))
        }
        EventKind::WorkflowResumed => format!("{} sent it on: {}.", actor(told), clause(&personal("reason"))),
        EventKind::AccountAdopted => {
            format!("{} declared the found account to be ours: {}.", actor(told), clause(&personal("reason")))
        }
        EventKind::WorkflowGivenUp => format!("{} gave it up: {}.", actor(told), clause(&personal("reason"))),
        EventKind::AlarmRaised => {
            format!("The operators were alarmed: {}.", clause(&personal("because")))
        }
        EventKind::WorkflowRescheduled => format!(
            "The wanted day begins or ends at {} and not at {}: the time zone data have changed. The approval stands.",
            moment(told, "to"),
            moment(told, "from")
        ),
        EventKind::ClockTrusted => format!("The time is believed again: {}.", text("because")),
        EventKind::SignInFailed => format!("A sign-in failed: {}.", text("because")),
        EventKind::SignedIn => format!("{} signed in.", actor(told)),
        EventKind::SignedOut => format!("A session of {} was ended: {}.", personal("whose"), text("because")),
        EventKind::RestoreRecognised => format!(
            "The log lacks the head number {} and ends at {}: an older database was put back.",
            number(told, "head_number"),
            number(told, "reached")
        ),
        EventKind::PersonalCleared => {
            "What was known about people here was cleared after its time, and so were request, plans and messages."
                .to_owned()
        }
        EventKind::DeliveryCleared => "The raw messages were cleared after their time.".to_owned(),
        EventKind::RestoreAccepted => {
            format!("{} says that it was put back on purpose: {}.", actor(told), clause(&personal("reason")))
        }
    }
}

/// What is known of a create of which nobody knew what came: the call, the look, and what was found. Nothing for an event
/// that is about no such create.
pub fn lost_create(told: &Told) -> Option<String> {
    let call = match (clock(told, "unanswered_at"), clock(told, "interrupted_at")) {
        (Some(at), _) => format!("the create call got no answer at {at}"),
        (None, Some(at)) => format!("the create call of {at} was interrupted"),
        (None, None) => return None,
    };
    let looked = format!("looked in the vault at {}", told.event.at.clock_time());
    let wrote = told.event.facts.get("calls").and_then(serde_json::Value::as_array).is_some_and(|calls| {
        calls.iter().filter_map(serde_json::Value::as_str).any(|call| !call.starts_with("GET "))
    });
    let words = told.personal("words").map_or_else(|| "(cleared)".to_owned(), visible);
    let watched = clock(told, "watched_until").map(|until| format!("; the name stays watched until {until}"));
    let watched = watched.unwrap_or_default();
    let found = match told.text("outcome").unwrap_or_default() {
        "done" if !wrote => {
            format!(
                "{looked}; found id {} with our mark; adopted; no second user made",
                number(told, "user_id")
            )
        }
        "not_there" => format!("{looked}; no user of that name is there{watched}"),
        // This very call is the lost one.
        "unknown" if wrote => format!("{}{watched}", clause(&words)),
        _ if wrote => format!("made again: {}{watched}", clause(&words)),
        _ => format!("{looked}; {}{watched}", clause(&words)),
    };
    Some(format!("{}: {call}; {found}.", step(told)))
}

/// The time of day of a moment that an event names.
fn clock(told: &Told, name: &str) -> Option<String> {
    told.text(name).and_then(Timestamp::parse).map(Timestamp::clock_time)
}

fn received(told: &Told) -> String {
    let kind = told.text("kind").map(visible).unwrap_or_default();
    if let Some(other) = told.text("makes_up_for").map(visible) {
        return format!("It became a workflow: {kind}, to make up for workflow {other}.");
    }
    match (told.text("part_of"), told.text("target")) {
        (Some(whole), Some(target)) => {
            format!(
                "It became a workflow: {kind} in {}, a part of workflow {}.",
                visible(target),
                visible(whole)
            )
        }
        (Some(_) | None, _) => format!("It became a workflow: {kind}."),
    }
}

fn listed(told: &Told, name: &str) -> String {
    let list = told.event.facts.get(name).and_then(serde_json::Value::as_array);
    let each: Vec<_> = list.into_iter().flatten().filter_map(|one| one.as_str()).map(visible).collect();
    each.join(", ")
}

fn correction(told: &Told) -> String {
    let reference = told.text("source_ref").map(visible).unwrap_or_default();
    let what = match told.text("op") {
        Some("rescind") => "takes it back",
        Some("amend") => "changes it",
        Some(_) | None => "says the same or more about it",
    };
    format!("{} sent a message that {what}, under its own reference {reference}.", actor(told))
}

/// Why a workflow does not go on: what took its place, or what took it back.
pub fn replaced_or_taken_back(told: &Told) -> String {
    let by = told.text("by").map(visible);
    let kind = told.text("by_kind").map_or("another request", kind_in_words);
    match (told.text("withdrawn_by").map(visible), by) {
        (Some(reference), Some(by)) => {
            format!(
                "its source took it back ({reference}), and {kind}, workflow {by}, makes up for what was done"
            )
        }
        (Some(reference), None) => format!("its source took it back ({reference})"),
        (None, Some(by)) => format!("{kind} took its place, workflow {by}"),
        (None, None) => by_two(told).unwrap_or_else(|| "it was taken back".to_owned()),
    }
}

fn by_two(told: &Told) -> Option<String> {
    let first = told.personal("proposed_by").map(visible)?;
    let reason = told.personal("reason").map_or_else(|| "(cleared)".to_owned(), visible);
    Some(format!("two people cancelled it, {first} and {}: {}", actor(told), clause(&reason)))
}

fn kind_in_words(word: &str) -> &'static str {
    match Kind::parse(word) {
        Some(Kind::Joiner) => "a joiner",
        Some(Kind::Mover) => "a mover",
        Some(Kind::Leaver) => "a leaver",
        Some(Kind::Rehire) => "a rehire",
        Some(Kind::ResetPassword) => "a request for a new password",
        Some(Kind::Unsuspend) => "a request to end a suspension",
        None => "another request",
    }
}

fn decision(told: &Told) -> String {
    let verdict = match told.text("decision") {
        Some("approve") => "said yes",
        Some("reject") => "said no",
        Some(_) | None => "answered",
    };
    let comment = told.personal("comment").map(|comment| format!(": \u{201c}{}\u{201d}", visible(comment)));
    let comment = comment.unwrap_or_else(|| ".".to_owned());
    let drift = told.personal("named_drift").map(|drift| format!(" Seen just before: {}.", visible(drift)));
    format!("{} {verdict}{comment}{}", actor(told), drift.unwrap_or_default())
}

fn planned(told: &Told) -> String {
    let digest: String = told.text("digest").map(visible).unwrap_or_default().chars().take(8).collect();
    let rule = told.text("rule").map(visible).unwrap_or_default();
    format!(
        "Plan {} was made and sealed ({digest}); the rule \u{201c}{rule}\u{201d} asks.",
        number(told, "plan")
    )
}

fn approved(told: &Told) -> String {
    if told.text("asked") == Some("nobody") {
        return format!(
            "Approved without asking anybody: the rule \u{201c}{}\u{201d} does so for leavers whose account is known, \
             at most {} an hour.",
            told.text("rule").map(visible).unwrap_or_default(),
            number(told, "budget")
        );
    }
    by_operator(told, "approved").unwrap_or_else(|| "Approved: all needed answers are there.".to_owned())
}

fn expired(told: &Told) -> &'static str {
    match told.text("after") {
        Some(_) => "Expired: it was approved, and its run did not begin in time.",
        None => "Expired: nobody decided in time.",
    }
}

fn proposed(told: &Told) -> String {
    let verdict = told.text("verdict").map(visible).unwrap_or_default();
    let others = number(told, "selected");
    format!("{} proposed to {verdict} it, as one of {others} that are held{}", actor(told), reason(told))
}

fn released(told: &Told) -> String {
    let first = told.personal("proposed_by").map_or_else(|| "(cleared)".to_owned(), visible);
    format!("Released by two people, {first} and {}{}", actor(told), reason(told))
}

fn reason(told: &Told) -> String {
    let reason = told.personal("reason").map_or_else(|| "(cleared)".to_owned(), visible);
    format!(": {}.", clause(&reason))
}

/// What somebody did who was not asked, but is an operator.
fn by_operator(told: &Told, what: &str) -> Option<String> {
    (told.event.actor == "operator")
        .then(|| format!("{} {what} it as an operator{}", actor(told), reason(told)))
}

fn begun(told: &Told) -> String {
    let tries = number(told, "attempt_number");
    let purpose = if told.text("purpose") == Some("look") { "is looked up" } else { "begun" };
    if tries == "1" {
        format!("{}: {purpose}.", step(told))
    } else {
        format!("{}: {purpose}, try {tries}.", step(told))
    }
}

fn step(told: &Told) -> String {
    let place = told.event.facts.get("step_number").and_then(serde_json::Value::as_i64).unwrap_or(0) + 1;
    format!("Step {place}, {}", title_of_word(told.text("step").unwrap_or_default()).to_lowercase())
}

fn stage(told: &Told) -> i64 {
    told.event.facts.get("stage").and_then(serde_json::Value::as_i64).unwrap_or(0) + 1
}

fn number(told: &Told, name: &str) -> String {
    told.event.facts.get(name).map(ToString::to_string).unwrap_or_default()
}

/// Words that end in a full stop of their own do not get a second one.
fn clause(words: &str) -> &str {
    words.trim_end_matches('.')
}

fn actor(told: &Told) -> String {
    let role = told.event.actor.as_str();
    match role {
        "countersign" => "Countersign".to_owned(),
        "approver" | "operator" | "person" => {
            let name = told.personal("actor").map_or_else(|| unnamed(role), visible);
            match told.personal("machine_user").map(visible) {
                Some(user) if user == name || user.starts_with(&format!("{name},")) => user,
                Some(user) => at_the_machine(&name, &user),
                None => name,
            }
        }
        source => visible(source),
    }
}

fn unnamed(role: &str) -> String {
    if role == "person" { "Somebody".to_owned() } else { format!("An {role}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::audit::{Actor, NewEvent, Place};
    use crate::domain::canon::Tag;
    use crate::domain::ids::{ChainId, EventId};
    use crate::pages::sample;

    fn told(event: NewEvent) -> Told {
        let at = sample::now();
        let chain = ChainId::made(at, [1; 10]);
        let place =
            Place { id: EventId::made(at, [2; 10]), chain, position: 4, previous: Place::origin(chain), at };
        let written = event.write(&place, &mut || [9; 16]);
        Told {
            event: written.bytes.open(Tag::Event).unwrap(),
            hash: written.hash,
            personal: written.personal.into_iter().map(|value| (value.field, value.text)).collect(),
        }
    }

    #[test]
    fn a_decision_names_the_person_and_the_words() {
        let event =
            NewEvent::new(EventKind::DecisionRecorded, Actor::Approver(sample::address("ana@example.com")))
                .text("decision", "approve")
                .personal("comment", "fine\u{200b}");
        let line = event_in_words(&told(event.clone()));
        assert_eq!(line.words, "ana@example.com said yes: “fine‹U+200B›”");
        let mut cleared = told(event);
        cleared.personal.clear();
        assert_eq!(event_in_words(&cleared).words, "An approver said yes.");
    }

    #[test]
    fn words_of_the_vault_are_told_until_they_are_cleared() {
        for (kind, begin) in [
            (EventKind::VaultAwaited, "The vault cannot be read"),
            (EventKind::AlarmRaised, "The operators were alarmed"),
        ] {
            let event = NewEvent::new(kind, Actor::Countersign).personal("because", "it answers 503.");
            let mut told = told(event);
            assert_eq!(event_in_words(&told).words, format!("{begin}: it answers 503."));
            told.personal.clear();
            assert_eq!(event_in_words(&told).words, format!("{begin}: (cleared)."));
        }
    }

    #[test]
    fn a_lost_create_is_told_from_the_call_to_what_was_found() {
        let before = |seconds: i64| sample::now().plus_seconds(-seconds).to_string();
        let clock = |seconds: i64| sample::now().plus_seconds(-seconds).clock_time();
        let event = |kind, fact: &'static str, outcome: &str, calls: &[&str]| {
            let calls = calls.iter().map(|call| crate::domain::canon::Canon::Text((*call).to_owned()));
            NewEvent::new(kind, Actor::Countersign)
                .number("step_number", 1_i64)
                .text("step", "create_user")
                .text(fact, before(2))
                .text("outcome", outcome)
                .fact("calls", crate::domain::canon::Canon::List(calls.collect()))
                .personal("words", "an earlier attempt made it.")
        };
        let read: &[&str] = &["GET Users 200", "GET Users/42 200"];
        let (at, now) = (clock(2), clock(0));
        let adopted = event(EventKind::StepLookedUp, "unanswered_at", "done", read).number("user_id", 42_i64);
        assert_eq!(
            event_in_words(&told(adopted.clone())).words,
            format!(
                "Step 2, make the user: the create call got no answer at {at}; looked in the vault at {now}; found id 42 \
                 with our mark; adopted; no second user made."
            )
        );
        let mut cleared = told(adopted);
        cleared.personal.clear();
        assert!(event_in_words(&cleared).words.contains("found id 42 with our mark"));
        let nobody = event(EventKind::StepLookedUp, "interrupted_at", "not_there", &["GET Users 200"])
            .text("watched_until", before(-300));
        assert_eq!(
            event_in_words(&told(nobody)).words,
            format!(
                "Step 2, make the user: the create call of {at} was interrupted; looked in the vault at {now}; no user of \
                 that name is there; the name stays watched until {}.",
                clock(-300)
            )
        );
        let lost = event(EventKind::StepEnded, "unanswered_at", "unknown", &["POST Users no answer"]);
        let words = event_in_words(&told(lost)).words;
        assert!(words.contains(&format!("the create call got no answer at {at}; an earlier")), "{words}");
        let again =
            event(EventKind::StepEnded, "unanswered_at", "done", &["GET Users 200", "POST Users 201"]);
        let words = event_in_words(&told(again)).words;
        assert!(words.contains("made again: ") && !words.contains("adopted"), "{words}");
    }

    #[test]
    fn a_step_is_told_with_its_place_and_try() {
        let event = NewEvent::new(EventKind::StepBegun, Actor::Countersign)
            .number("step_number", 1_i64)
            .text("step", "create_user")
            .text("purpose", "act")
            .number("attempt_number", 2_i64);
        assert_eq!(event_in_words(&told(event)).words, "Step 2, make the user: begun, try 2.");
    }
}
