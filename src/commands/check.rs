//! `check`: does everything that the settings name answer, and does it let us do what the settings need?
//!
//! Must hold: only looks: nothing is made, migrated, sent or changed, no session is left open and none of a running
//! service is ended unasked; one line for each thing, with what to mend; no secret in any of them; success only if all
//! is well.
//! Deliberately absent: trying a change. That a right to write is there shows in the first run alone.

use std::collections::BTreeSet;
use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret as _;

use super::findings::Findings;
use super::{Configured, check_target, missing};
use crate::clock::World;
use crate::config::{DatabaseEngine, Product, Sessions, Settings, SmtpTls, Source, Verify};
use crate::key::KeyRing;
use crate::notify::{NotSent, Smtp};
use crate::rules::passed_over::passed_over;
use crate::rules::{EVALUATION_LIMIT, Engine, Judged, Policy};
use crate::service;
use crate::store::inspect::{Schema, inspect};

/// Which settings, and how far to go.
#[derive(Debug, Args)]
pub(super) struct Check {
    #[command(flatten)]
    at: Configured,
    /// Log on, too, where that ends the session of a service that is running, since its account may have one only.
    #[arg(long)]
    log_on: bool,
}

impl Check {
    /// Looks at everything that the settings name.
    pub(super) async fn run(self, world: World) -> ExitCode {
        let mut findings = Findings::default();
        let settings = match Settings::load(&self.at.config, &Judged::here()) {
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
                check_target::examine(target, &world, &mut findings).await;
            } else {
                findings.left(
                    &format!("target {}", target.name),
                    "not logged on to: with concurrent_sessions = false that would end the session of a service that is \
                     running. Where none is, or in a quiet hour, ask for it with --log-on",
                );
            }
        }
        sources(&settings, &mut findings);
        for words in passed_over(&settings) {
            findings.warn("settings", &words);
        }
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
        Err(NotSent::Refused(words) | NotSent::NotNow(words) | NotSent::Later(words)) => {
            findings.mend("mail", &format!("mail.smtp_url: {place}: {words}"));
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
