//! The settings: one TOML file, read once into domain types.
//!
//! Must hold: a value of [`Settings`] has passed every rule; all faults are reported at once, each with file, key and
//! what is expected, and none repeats a value; what is not available yet is refused, never ignored.
//! Deliberately absent: compiling conditions (the rules room) and opening anything (the service).

pub mod access;
pub mod approvers;
mod audit;
pub mod fault;
pub mod http;
pub mod mail;
pub mod network;
pub mod privileged;
pub mod products;
mod reader;
mod retention;
pub mod rules;
pub mod secrets;
pub mod service;
pub mod sign_in;
pub mod sources;
pub mod stages;
pub mod targets;
pub mod verify;
pub mod world;

#[cfg(test)]
pub(crate) mod tests;

use std::path::{Path, PathBuf};

use toml::{Table, Value};

pub use self::access::{Condition, HandOverTo, Profile};
pub use self::approvers::ApproverGroup;
pub use self::fault::Fault;
pub use self::http::{Http, is_loopback};
pub use self::mail::{Mail, Operators, Smtp, SmtpLogin, SmtpTls};
pub use self::network::Network;
pub use self::privileged::Privileged;
pub use self::products::{
    ClientCredentials, LogonMethod, Product, Proxy, ProxyLogin, SessionLogon, Sessions,
};
pub use self::retention::Retention;
pub use self::rules::{Approval, Reminders, Rule, Rules};
pub use self::secrets::Secret;
pub use self::service::{ClockSettings, Database, DatabaseEngine, LogFormat, WorkerSettings};
pub use self::sign_in::{SignIn, SignInMode};
pub use self::sources::{ApiClient, Format, Scope, SettableField, Source};
pub use self::stages::{Ask, Pool, Stage};
pub use self::targets::{TargetSettings, UserPattern};
pub use self::verify::{Algorithm, Basic, Encoding, HeaderText, Part, Recipe, SignedTime, Token, Verify};
pub use self::world::{Machine, Unfetched, World};

use self::access::Around;
use self::approvers::ManagerMail;
use self::reader::{Gather, Section};
use self::stages::Askable;
use crate::domain::names::{SourceName, TargetName};

/// Everything an operator has decided.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The file they came from, for faults that are found later.
    pub file: String,
    /// Where the service listens and how it is reached.
    pub http: Http,
    /// Where everything is kept.
    pub database: Database,
    /// The key that seals secrets and links.
    pub key_file: PathBuf,
    /// Where the last head of the log is kept, outside the database.
    pub head_file: PathBuf,
    /// How mail leaves.
    pub mail: Mail,
    /// Who looks after the service.
    pub operators: Operators,
    /// How approvers prove who they are.
    pub sign_in: SignIn,
    /// Programs with an API token.
    pub api_clients: Vec<ApiClient>,
    /// Senders of requests; at least one.
    pub sources: Vec<Source>,
    /// The vaults; at least one.
    pub targets: Vec<TargetSettings>,
    /// People who are asked together.
    pub approver_groups: Vec<ApproverGroup>,
    /// Who gets what.
    pub profiles: Vec<Profile>,
    /// Who must approve.
    pub rules: Rules,
    /// How long what is known about people is kept.
    pub retention: Retention,
    /// How log lines look.
    pub logs: LogFormat,
    /// How the workers retry.
    pub worker: WorkerSettings,
    /// When the machine's clock is not believed.
    pub clock: ClockSettings,
}

impl Settings {
    /// Reads the file at `path`.
    pub fn load(path: &Path, world: &dyn World) -> Result<Self, Vec<Fault>> {
        let file = path.display().to_string();
        match world.file(path) {
            Ok(text) => Self::from_toml(&text, &file, world),
            Err(why) => Err(vec![Fault::new(&file, "", format!("the settings file {why}"))]),
        }
    }

    /// Reads a text; `file_name` stands in the faults.
    pub fn from_toml(text: &str, file_name: &str, world: &dyn World) -> Result<Self, Vec<Fault>> {
        let table = text.parse::<Table>().map_err(|error| vec![not_toml(file_name, text, &error)])?;
        let gather = Gather::new(file_name, world);
        let settings = read(file_name, &table, &gather);
        let faults = gather.into_faults();
        match settings {
            Some(settings) if faults.is_empty() => Ok(settings),
            None if faults.is_empty() => Err(vec![Fault::new(file_name, "", "could not be read")]),
            Some(_) | None => Err(faults),
        }
    }

    /// The source of this name.
    pub fn source(&self, name: &SourceName) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == *name)
    }

    /// The target of this name.
    pub fn target(&self, name: &TargetName) -> Option<&TargetSettings> {
        self.targets.iter().find(|target| target.name == *name)
    }

    /// The approver group of this name.
    pub fn approver_group(&self, name: &str) -> Option<&ApproverGroup> {
        self.approver_groups.iter().find(|group| group.name.as_str() == name)
    }
}

/// The parser's own words quote the line, in which a secret may stand; so only the place is told.
fn not_toml(file: &str, text: &str, error: &toml::de::Error) -> Fault {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    Fault::new(file, "", format!("line {line} is not TOML, or names a key for the second time"))
}

fn read(file: &str, table: &Table, gather: &Gather<'_>) -> Option<Settings> {
    let top = Section::new(table, String::new(), gather);
    let http = http::read_http(&top.section("http"));
    let database = service::read_database(&top.section("database"));
    let key_file = service::read_secrets(&top.section("secrets"));
    let head_file = audit::read_audit(&top.section("audit"), key_file.as_deref());
    let mail = mail::read_mail(&top.section("mail"));
    let operators = mail::read_operators(&top.section("operators"));
    let sign_in = sign_in::read_sign_in(&top.section("sign_in"), http.as_ref());
    let (sources, declared_sources) = sources::read_sources(at_least_one(&top, "sources"));
    let api_clients = sources::read_clients(top.sections("api_clients"), &declared_sources);
    let approver_groups = approvers::read_groups(top.sections("approver_groups"));
    let groups = declared(table, "approver_groups");
    let manager_mail = manager_mail(table);
    let askable = Askable { groups: &approver_groups, declared: &groups, manager_mail };
    let targets = targets::read_targets(at_least_one(&top, "targets"), &askable);
    let around = Around { targets: &targets, declared: &declared(table, "targets"), manager_mail };
    let profiles = access::read_profiles(top.sections("profiles"), &around);
    let rules = rules::read_rules(&top, top.sections("rules"), &askable);
    let default = rules.as_ref().map_or(&[][..], |rules| &rules.default.stages);
    for privileged in targets.iter().filter_map(|target| target.privileged.as_ref()) {
        privileged::check_after_default(privileged, default, &askable, gather);
    }
    let retention = retention::read_retention(&top.section("retention"));
    let logs = service::read_logs(&top.section("logs"));
    let worker = service::read_worker(&top.section("worker"));
    let clock = service::read_clock(&top.section("clock"));
    top.refuse_unknown();
    Some(Settings {
        file: file.to_owned(),
        http: http?,
        database: database?,
        key_file: key_file?,
        head_file: head_file?,
        mail: mail?,
        operators,
        sign_in,
        api_clients,
        sources,
        targets,
        approver_groups,
        profiles,
        rules: rules?,
        retention,
        logs,
        worker,
        clock,
    })
}

fn at_least_one<'r>(top: &Section<'r>, name: &'static str) -> Vec<Section<'r>> {
    let sections = top.sections(name);
    if sections.is_empty() {
        top.fault(name, "missing or empty; wanted: at least one");
    }
    sections
}

fn tables<'t>(table: &'t Table, name: &str) -> impl Iterator<Item = &'t Table> {
    table.get(name).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_table)
}

/// The names in a list of tables, taken before the tables are judged, so that one fault does not cause others.
fn declared(table: &Table, name: &str) -> Vec<String> {
    tables(table, name).filter_map(|one| one.get("name")?.as_str().map(str::to_owned)).collect()
}

fn manager_mail(table: &Table) -> ManagerMail {
    let wanted = SettableField::ManagerEmail.as_str();
    let heard = tables(table, "sources")
        .filter_map(|source| source.get("may_set")?.as_array())
        .flatten()
        .any(|field| field.as_str() == Some(wanted));
    if heard { ManagerMail::Heard } else { ManagerMail::NeverHeard }
}
