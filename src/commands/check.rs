//! `check`: does everything that the settings name answer, and does it let us do what the settings need?
//!
//! Must hold: only looks: nothing is made, migrated, sent or changed, no session is left open and none of a running
//! service is ended unasked; one line for each thing, with what to mend; no secret in any of them; success only if all
//! is well.
//! Deliberately absent: trying a change. That a right to write is there shows in the first run alone.

use std::collections::BTreeSet;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use secrecy::ExposeSecret as _;

use super::{Configured, missing};
use crate::clock::World;
use crate::config::{
    DatabaseEngine, Machine, Product, Sessions, Settings, SmtpTls, Source, TargetSettings, Verify,
};
use crate::domain::names::{GroupName, UserName};
use crate::domain::snapshot::Snapshot;
use crate::key::KeyRing;
use crate::notify::{NotSent, Smtp};
use crate::rules::{EVALUATION_LIMIT, Engine, Policy};
use crate::service;
use crate::store::inspect::{Schema, inspect};
use crate::target::{Besides, Subject};

/// So long one target may take.
const TARGET_LIMIT: Duration = Duration::from_secs(90);

/// Which settings, and how far to go.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    at: Configured,
    /// Log on, too, where that ends the session of a service that is running, since its account may have one only.
    #[arg(long)]
    log_on: bool,
}

/// The lines, as they are found.
#[derive(Default)]
struct Findings {
    good: usize,
    left: usize,
    faults: usize,
}

impl Findings {
    fn good(&mut self, what: &str, words: &str) {
        self.good += 1;
        println!("ok    {what}: {words}");
    }

    fn left(&mut self, what: &str, words: &str) {
        self.left += 1;
        println!("left  {what}: {words}");
    }

    fn mend(&mut self, what: &str, words: &str) {
        self.faults += 1;
        println!("MEND  {what}: {words}");
    }

    fn end(&self) -> ExitCode {
        match self.faults {
            0 => {
                println!("All is well: {} things were looked at, and nothing was changed.", self.good);
                if self.left > 0 {
                    println!("Left out: {}, as said above.", self.left);
                }
                ExitCode::SUCCESS
            }
            1 => {
                println!("One thing is to be mended.");
                ExitCode::FAILURE
            }
            several => {
                println!("{several} things are to be mended.");
                ExitCode::FAILURE
            }
        }
    }
}

impl Check {
    /// Looks at everything that the settings name.
    pub(super) async fn run(self, world: World) -> ExitCode {
        let mut findings = Findings::default();
        let settings = match Settings::load(&self.at.config, &Machine) {
            Ok(settings) => settings,
            Err(faults) => {
                for fault in faults {
                    findings.mend("settings", &fault.to_string());
                }
                return findings.end();
            }
        };
        conditions(&settings, &mut findings);
        database(&settings, &mut findings).await;
        mail(&settings, &mut findings).await;
        for target in &settings.targets {
            if self.log_on || !ends_another_session(&target.product) {
                examine(target, &world, &mut findings).await;
            } else {
                findings.left(
                    &format!("target {}", target.name),
                    "not logged on to: with concurrent_sessions = false that would end the session of a service that is \
                     running. Where none is, or in a quiet hour, ask for it with --log-on",
                );
            }
        }
        sources(&settings, &mut findings);
        findings.end()
    }
}

/// Does a log-on end the session that the same account has?
fn ends_another_session(product: &Product) -> bool {
    matches!(product, Product::SelfHosted(logon) if logon.sessions == Sessions::OneAtATime)
}

fn conditions(settings: &Settings, findings: &mut Findings) {
    let faults = match Engine::start(EVALUATION_LIMIT) {
        Ok(engine) => match Policy::compile(&engine, settings) {
            Ok(_) => {
                return findings.good("settings", "they can be read, and so can every condition in them");
            }
            Err(faults) => faults.iter().map(ToString::to_string).collect(),
        },
        Err(fault) => vec![fault.to_string()],
    };
    for fault in faults {
        findings.mend("settings", &fault);
    }
}

async fn database(settings: &Settings, findings: &mut Findings) {
    let absent = missing(settings);
    for fault in &absent {
        findings.mend("database", &fault.to_string());
    }
    if !absent.is_empty() {
        return;
    }
    let key = KeyRing::read(&settings.key_file);
    if let Err(fault) = &key {
        findings.mend("secrets.key_file", &format!("{fault}; {}", key_wanted(settings)));
    }
    let seen = match inspect(&service::place(&settings.database)).await {
        Ok(seen) => seen,
        Err(fault) => {
            let cause = std::error::Error::source(&fault).map(ToString::to_string).unwrap_or_default();
            let words =
                format!("database.url: {fault}: {cause}; see that the server runs and that the URL is right");
            return findings.mend("database", &words);
        }
    };
    match seen.schema {
        Schema::Current => findings.good("database", "it answers, and its schema is this version's"),
        Schema::None => findings.mend("database", "it answers and is empty; run countersign migrate, or serve"),
        Schema::Behind(count) => {
            let words = format!("it answers, but {count} migration(s) are to be run: countersign migrate, or serve");
            findings.mend("database", &words);
        }
        Schema::Ahead(count) => findings.mend(
            "database",
            &format!("a newer version has run {count} migration(s) in it that this one does not know; use that version"),
        ),
    }
    if let Ok(key) = &key {
        match seen.key {
            Some(begun) if begun == key.fingerprint().to_string() => {
                findings.good("secrets.key_file", "it is the key with which the database was begun");
            }
            Some(_) => findings.mend(
                "secrets.key_file",
                "the database was begun with another key; name that one, or the database that belongs to this one",
            ),
            None => findings.good("secrets.key_file", "it can be read; no database was begun with it yet"),
        }
    }
}

fn key_wanted(settings: &Settings) -> &'static str {
    match settings.database.engine {
        DatabaseEngine::Sqlite => "bring back the one with which the database was begun",
        DatabaseEngine::Postgres => "make it once, and give the same to every replica",
    }
}

async fn mail(settings: &Settings, findings: &mut Findings) {
    let smtp = &settings.mail.smtp;
    let place = format!("{}:{}", smtp.host, smtp.port);
    let post = match Smtp::new(smtp) {
        Ok(post) => post,
        Err(fault) => return findings.mend("mail", &format!("mail.smtp_url: {fault}")),
    };
    match post.greet().await {
        Ok(()) => {
            let tls = match smtp.tls {
                SmtpTls::None => "without TLS, on this machine",
                SmtpTls::Required => "with STARTTLS",
                SmtpTls::Implicit => "with TLS",
            };
            let login = if smtp.login.is_some() { ", and takes our login" } else { "" };
            findings.good("mail", &format!("{place} answers {tls}{login}; nothing was sent"));
        }
        Err(NotSent::Refused(words) | NotSent::Later(words)) => {
            findings.mend("mail", &format!("mail.smtp_url: {place}: {words}"));
        }
    }
}

async fn examine(target: &TargetSettings, world: &World, findings: &mut Findings) {
    let what = format!("target {}", target.name);
    let vault = match service::connect(target, world) {
        Ok(vault) => vault,
        Err(words) => return findings.mend(&what, &words),
    };
    // Our own account is one that we may look for without a question.
    let account = UserName::parse(target.product.account()).or_else(|_| UserName::parse("countersign"));
    let Ok(account) = account else {
        return findings.mend(&what, "its account has no name that can be looked for");
    };
    let subject = Subject { user_name: &account, user_id: None };
    let reading = vault.snapshot(subject, Besides::Groups(&target.grantable_groups));
    let read = tokio::time::timeout(TARGET_LIMIT, reading).await;
    vault.close().await;
    match read {
        Ok(Ok(snapshot)) => told(target, &what, &snapshot, findings),
        Ok(Err(fault)) => findings.mend(&what, &format!("{fault}; {}", what_to_see(&target.product))),
        Err(_) => findings.mend(&what, "it does not answer in time"),
    }
}

const fn what_to_see(product: &Product) -> &'static str {
    match product {
        Product::PrivilegeCloud(_) => {
            "see api_url, token_url, client_id and client_secret, and that the service user may list users and groups"
        }
        Product::SelfHosted(_) => {
            "see api_url, logon, username and password, and that the account may list users and groups"
        }
    }
}

fn told(target: &TargetSettings, what: &str, seen: &Snapshot, findings: &mut Findings) {
    let shape = if seen.kept_fields.is_none() { "nested" } else { "flat" };
    findings.good(what, &format!("signs in; users and groups can be listed; user records are {shape}"));
    let asked = seen.groups.len();
    let missing: Vec<&str> =
        seen.groups.iter().filter(|group| group.found.is_none()).map(|group| group.asked.as_str()).collect();
    let is_privileged = |name: &str| {
        let group = GroupName::parse(name).ok();
        target.privileged.as_ref().zip(group).is_some_and(|(privileged, group)| privileged.names(&group))
    };
    for group in &missing {
        let listed =
            if is_privileged(group) { "grantable_groups and privileged_groups" } else { "grantable_groups" };
        let words =
            format!("the group {group} of {listed} cannot be seen in it; make it, or let the account see it");
        findings.mend(what, &words);
    }
    if missing.is_empty() {
        findings.good(what, &format!("all {asked} of grantable_groups are there"));
    }
    match &seen.user_types {
        None => findings.good(what, "it does not tell its user types, so allowed_user_types is not compared"),
        Some(licensed) => {
            let known = |name: &str| licensed.iter().any(|one| one.as_str().eq_ignore_ascii_case(name));
            let unknown: Vec<&str> = target
                .allowed_user_types
                .iter()
                .map(crate::domain::names::UserType::as_str)
                .filter(|name| !known(name))
                .collect();
            if unknown.is_empty() {
                findings.good(what, "all of allowed_user_types are among its user types");
            }
            for name in unknown {
                findings.mend(what, &format!("{name} of allowed_user_types is not among its user types"));
            }
        }
    }
}

fn sources(settings: &Settings, findings: &mut Findings) {
    let mut seen: BTreeSet<Vec<u8>> = BTreeSet::new();
    for source in &settings.sources {
        let what = format!("source {}", source.name);
        let (kind, secrets) = verifier(source);
        // The settings were not taken if one of them were too short to be safe.
        let own: BTreeSet<Vec<u8>> = secrets.into_iter().collect();
        if own.is_disjoint(&seen) {
            let secrets = match own.len() {
                0 => String::new(),
                1 => ", one secret".to_owned(),
                several => format!(", {several} secrets"),
            };
            let address = match &source.verify {
                Verify::ApiToken => "/api/v1/requests".to_owned(),
                Verify::StandardWebhooks(_) | Verify::Hmac(_) | Verify::Token(_) | Verify::Basic(_) => {
                    format!("/webhooks/{}", source.name)
                }
            };
            findings.good(&what, &format!("verified by {kind}{secrets}; it posts to {address}"));
        } else {
            findings.mend(&what, "it has a secret that another source has, too; give each its own");
        }
        seen.extend(own);
    }
}

fn verifier(source: &Source) -> (&'static str, Vec<Vec<u8>>) {
    let bytes = |secret: &secrecy::SecretString| secret.expose_secret().as_bytes().to_vec();
    match &source.verify {
        Verify::StandardWebhooks(secrets) => {
            ("standard-webhooks", secrets.iter().map(|secret| secret.expose_secret().to_vec()).collect())
        }
        Verify::Hmac(recipe) => ("hmac", recipe.secrets.iter().map(bytes).collect()),
        Verify::Token(token) => ("token", token.secrets.iter().map(bytes).collect()),
        Verify::Basic(basic) => ("basic", basic.passwords.iter().map(bytes).collect()),
        Verify::ApiToken => ("api-token", Vec::new()),
    }
}
