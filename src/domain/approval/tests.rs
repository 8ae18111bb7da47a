use super::*;
use crate::domain::names::UserName;
use crate::domain::routing::{Because, Pool, Timing};
use crate::domain::sign_in::Strength;

fn mail(text: &str) -> EmailAddress {
    EmailAddress::parse(text).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds).unwrap()
}

fn routing() -> Routing {
    let stage = |people: &[&str], quorum| {
        let people = people.iter().map(|one| mail(one)).collect();
        ResolvedStage::of(Pool { people, asked_as: vec![], quorum })
    };
    Routing {
        rule: "joiners".to_owned(),
        because: Because::FirstMatch,
        stages: vec![
            stage(&["boss@example.com"], 1),
            stage(&["ana@example.com", "bo@example.com", "cy@example.com"], 2),
        ],
        expire_after_seconds: 60,
        sign_in: Strength::Link,
        timing: Timing::default(),
        privileged: None,
    }
}

struct Case {
    routing: Routing,
    said: Vec<Said>,
    concerned: Concerned,
    stage: u32,
    standing: Standing,
}

impl Case {
    fn new(stage: u32) -> Self {
        Self {
            routing: routing(),
            said: vec![],
            concerned: Concerned::default(),
            stage,
            standing: Standing::Open,
        }
    }

    fn says(&self, by: &str, stage: u32, verdict: Verdict) -> Result<Decided, Refused> {
        self.answers(&Answer {
            by: mail(by),
            stage,
            verdict,
            digest: Digest::of_bytes(b"plan"),
            eligible: Eligible::Still,
            proof: Proof::Link,
            at: at(50),
        })
    }

    fn answers(&self, answer: &Answer) -> Result<Decided, Refused> {
        let asking = Asking {
            standing: self.standing.clone(),
            digest: Digest::of_bytes(b"plan"),
            routing: &self.routing,
            stage: self.stage,
            expires_at: Some(at(100)),
            said: &self.said,
            concerned: &self.concerned,
        };
        decide(&asking, answer)
    }

    fn heard(mut self, by: &str, stage: u32, verdict: Verdict) -> Self {
        self.said.push(Said { stage, by: mail(by), verdict, at: at(10) });
        self
    }
}

#[test]
fn stages_and_quorum_lead_to_approval() {
    assert_eq!(Case::new(0).says("boss@example.com", 0, Verdict::Approve), Ok(Decided::NextStage(1)));
    assert_eq!(Case::new(1).says("ana@example.com", 1, Verdict::Approve), Ok(Decided::Heard));
    let one_yes = Case::new(1).heard("ana@example.com", 1, Verdict::Approve);
    assert_eq!(one_yes.says("bo@example.com", 1, Verdict::Approve), Ok(Decided::Approved));
    assert_eq!(one_yes.says("bo@example.com", 1, Verdict::Reject), Ok(Decided::Rejected));
}

#[test]
fn one_person_is_counted_once_whatever_the_spelling() {
    let one_yes = Case::new(1).heard("ana@example.com", 1, Verdict::Approve);
    let again = one_yes.says("Ana+x@Example.com", 1, Verdict::Approve);
    assert!(matches!(again, Err(Refused::AlreadyDecided { .. })), "{again:?}");
}

#[test]
fn requester_and_subject_never_decide() {
    let mut case = Case::new(1);
    case.concerned.requester = Some(mail("ANA@example.com"));
    case.concerned.addresses = vec![mail("bo+work@example.com")];
    case.concerned.accounts = vec![UserName::parse("CY").unwrap()];
    assert_eq!(case.says("ana@example.com", 1, Verdict::Approve), Err(TheirOwn::Request.into()));
    assert_eq!(case.says("bo@example.com", 1, Verdict::Reject), Err(TheirOwn::Access.into()));
    // Where nobody gives an address, the account's name is all that tells whose it is.
    assert_eq!(case.says("cy@example.com", 1, Verdict::Approve), Err(TheirOwn::Access.into()));
}

#[test]
fn who_was_not_asked_or_is_asked_elsewhere_does_not_decide() {
    assert_eq!(Case::new(1).says("eve@example.com", 1, Verdict::Approve), Err(Refused::NotAsked));
    assert_eq!(Case::new(0).says("ana@example.com", 1, Verdict::Approve), Err(Refused::OtherStage));
}

#[test]
fn the_loser_is_told_who_won() {
    let mut case = Case::new(1).heard("bo@example.com", 1, Verdict::Reject);
    case.standing = Standing::Over("rejected".to_owned());
    let lost = case.says("ana@example.com", 1, Verdict::Approve).unwrap_err();
    assert!(lost.to_string().contains("bo@example.com rejected"), "{lost}");
}

#[test]
fn stale_late_and_expelled_answers_do_not_count() {
    let good = Answer {
        by: mail("ana@example.com"),
        stage: 1,
        verdict: Verdict::Approve,
        digest: Digest::of_bytes(b"plan"),
        eligible: Eligible::Still,
        proof: Proof::Link,
        at: at(99),
    };
    let case = Case::new(1);
    assert_eq!(case.answers(&good), Ok(Decided::Heard));
    assert_eq!(case.answers(&Answer { at: at(100), ..good.clone() }), Err(Refused::Expired(at(100))));
    let stale = Answer { digest: Digest::of_bytes(b"other"), ..good.clone() };
    assert_eq!(case.answers(&stale), Err(Refused::PlanChanged));
    let expelled = Answer { eligible: Eligible::NoLonger, ..good };
    assert_eq!(case.answers(&expelled), Err(Refused::NoLongerEligible));
}

#[test]
fn a_plan_that_wants_a_code_is_not_decided_by_a_link() {
    let mut case = Case::new(0);
    case.routing.sign_in = Strength::Code;
    assert_eq!(case.says("boss@example.com", 0, Verdict::Approve), Err(Refused::ProofTooWeak));
    assert_eq!(case.says("boss@example.com", 0, Verdict::Reject), Err(Refused::ProofTooWeak));
    let signed_in = Answer {
        by: mail("boss@example.com"),
        stage: 0,
        verdict: Verdict::Approve,
        digest: Digest::of_bytes(b"plan"),
        eligible: Eligible::Still,
        proof: Proof::Code(at(40)),
        at: at(50),
    };
    assert_eq!(case.answers(&signed_in), Ok(Decided::NextStage(1)));
}

#[test]
fn every_pool_of_a_stage_is_heard_and_nobody_counts_for_two() {
    let mut case = Case::new(0);
    let pool = |people: &[&str], quorum| {
        let people = people.iter().map(|one| mail(one)).collect();
        Pool { people, asked_as: vec![], quorum }
    };
    let pools = vec![
        pool(&["boss@example.com", "ana@example.com"], 1),
        pool(&["ana@example.com", "bo@example.com"], 1),
    ];
    case.routing.stages = vec![ResolvedStage { pools }];
    assert_eq!(case.says("ana@example.com", 0, Verdict::Approve), Ok(Decided::Heard));
    assert_eq!(case.says("boss@example.com", 0, Verdict::Reject), Ok(Decided::Rejected));
    let case = case.heard("ana@example.com", 0, Verdict::Approve);
    assert_eq!(case.says("bo@example.com", 0, Verdict::Approve), Ok(Decided::Approved));
    assert_eq!(case.says("boss@example.com", 0, Verdict::Approve), Ok(Decided::Approved));
}

#[test]
fn every_stage_wants_the_yes_of_somebody_else() {
    let with = |stage| {
        let mut case = Case::new(stage);
        let first = ResolvedStage::of(Pool {
            people: vec![mail("boss@example.com"), mail("ana@example.com")],
            asked_as: vec![],
            quorum: 1,
        });
        case.routing.stages = vec![first, case.routing.stages.remove(1)];
        case
    };
    // Ana has said yes in the first stage, under another spelling.
    let ana_before = with(1).heard("Ana+pam@example.com", 0, Verdict::Approve);
    for verdict in [Verdict::Approve, Verdict::Reject] {
        assert_eq!(ana_before.says("ana@example.com", 1, verdict), Err(Refused::SaidYesBefore));
    }
    let ana_before = ana_before.heard("bo@example.com", 1, Verdict::Approve);
    assert_eq!(ana_before.says("cy@example.com", 1, Verdict::Approve), Ok(Decided::Approved));
    // Whoever did not answer before may do so here, and a no before would have ended it.
    let boss_before = with(1).heard("boss@example.com", 0, Verdict::Approve);
    assert_eq!(boss_before.says("ana@example.com", 1, Verdict::Approve), Ok(Decided::Heard));
    assert_eq!(with(0).says("ana@example.com", 0, Verdict::Approve), Ok(Decided::NextStage(1)));
}
