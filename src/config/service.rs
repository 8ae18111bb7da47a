//! `[database]`, `[secrets]`, `[logs]`, `[worker]` and `[clock]`: what the service stands on.
//!
//! Must hold: the address of the database is a secret, because it may carry a password; off loopback nothing goes to it
//! in the clear unless the operator says so in so many words.

use std::path::PathBuf;

use chrono::TimeDelta;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::http::is_loopback;
use super::reader::Section;

/// The database.
#[derive(Debug, Clone)]
pub struct Database {
    /// Its address, `sqlite://…` or `postgres://…`.
    pub url: SecretString,
    /// Which engine that is.
    pub engine: DatabaseEngine,
    /// A schema of its own within a PostgreSQL database.
    pub schema: Option<String>,
    /// A SQLite file is never let grow beyond so many pages.
    pub most_pages: Option<u32>,
}

/// The engines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DatabaseEngine {
    /// Inside the process, for one machine.
    Sqlite,
    /// A server, for several replicas.
    Postgres,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Pretty,
    /// One JSON object a line.
    Json,
}

/// How the workers retry, and how much they do at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Tries at one effect before a person must look.
    pub max_attempts: u32,
    /// After so long of trying one effect a person must look, however few tries that were.
    pub give_up_after: TimeDelta,
    /// The wait after the first failure; later ones double.
    pub first_retry_after: TimeDelta,
    /// No wait is longer.
    pub longest_retry_after: TimeDelta,
    /// How often the database is looked at when nothing wakes a worker.
    pub poll_every: TimeDelta,
    /// How many runs one process carries out side by side.
    pub runs_at_once: u32,
    /// So long a lease stands without a sign of life: after that another worker goes on with the run.
    pub lease: TimeDelta,
}

/// When the machine's clock is not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockSettings {
    /// A larger step is not followed.
    pub largest_step: TimeDelta,
    /// So long the database's clock must have gone steadily until it is believed after such a step.
    pub steady_for: TimeDelta,
}

const UNSHELTERED: &str = "off loopback it must say how the way there is protected; wanted: …?sslmode=verify-full (or \
                           verify-ca, require), or …?sslmode=disable where the network in between is your own alone";

/// Is it certain that a password and all that is read goes over TLS, or not over a network, or that the operator has said
/// otherwise? Without `sslmode` the driver goes on in the clear wherever a server, or somebody in its place, offers no
/// TLS.
fn is_sheltered(url: &str) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let said = |names: &[&str]| -> Vec<String> {
        let pairs = url.query_pairs().filter(|(name, _)| names.contains(&name.as_ref()));
        pairs.map(|(_, value)| value.to_ascii_lowercase()).collect()
    };
    let modes = said(&["sslmode", "ssl-mode"]);
    let settled = ["disable", "require", "verify-ca", "verify-full"];
    if !modes.is_empty() && modes.iter().all(|mode| settled.contains(&mode.as_str())) {
        return true;
    }
    // Hosts stand in the query, too; the path of a socket is none.
    let in_query = said(&["host", "hostaddr"]);
    let away = |host: &str| {
        !host.starts_with('/')
            && !Url::parse(&format!("postgres://{host}")).is_ok_and(|url| is_loopback(&url))
    };
    let first_away = match url.host_str() {
        None | Some("") => in_query.is_empty(),
        Some(host) => !host.to_ascii_lowercase().starts_with("%2f") && !is_loopback(&url),
    };
    modes.is_empty() && !first_away && !in_query.iter().any(|host| away(host))
}

/// Reads `[database]`.
pub(super) fn read_database(section: &Section<'_>) -> Option<Database> {
    let url = section.needed_secret("url");
    let engine = url.as_ref().and_then(|url| {
        let engine = match url.expose_secret().split_once(':') {
            Some(("sqlite", _)) => Some(DatabaseEngine::Sqlite),
            Some(("postgres" | "postgresql", rest)) if rest.starts_with("//") => {
                Some(DatabaseEngine::Postgres)
            }
            _ => None,
        };
        match engine {
            None => section.fault("url", "wanted: sqlite://FILE or postgres://…"),
            Some(DatabaseEngine::Postgres) if !is_sheltered(url.expose_secret()) => {
                section.fault("url", UNSHELTERED);
            }
            Some(DatabaseEngine::Sqlite | DatabaseEngine::Postgres) => {}
        }
        engine
    });
    let schema = section.read("schema", "1 to 40 of a-z 0-9 _, beginning with a letter", |text| {
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase());
        let spelled =
            text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        (begins && spelled && text.len() <= 40).then(|| text.to_owned())
    });
    if schema.is_some() && engine == Some(DatabaseEngine::Sqlite) {
        section.fault("schema", "only for postgres://; wanted: no schema here");
    }
    let most_pages = section.whole("sqlite_max_pages", 0..=u32::MAX, 0);
    section.refuse_unknown();
    Some(Database { url: url?, engine: engine?, schema, most_pages: (most_pages > 0).then_some(most_pages) })
}

/// Reads `[secrets]`.
pub(super) fn read_secrets(section: &Section<'_>) -> Option<PathBuf> {
    let key_file = section.needed("key_file", "the path of the key file", |text| {
        (!text.is_empty()).then(|| PathBuf::from(text))
    });
    section.refuse_unknown();
    key_file
}

/// Reads `[logs]`.
pub(super) fn read_logs(section: &Section<'_>) -> LogFormat {
    let format = section.read("format", "\"pretty\" or \"json\"", |text| match text {
        "pretty" => Some(LogFormat::Pretty),
        "json" => Some(LogFormat::Json),
        _ => None,
    });
    section.refuse_unknown();
    format.unwrap_or(LogFormat::Pretty)
}

/// Reads `[clock]`.
pub(super) fn read_clock(section: &Section<'_>) -> ClockSettings {
    let range = || TimeDelta::minutes(1)..=TimeDelta::days(1);
    let clock = ClockSettings {
        largest_step: section.span("largest_step", range(), TimeDelta::minutes(5)),
        steady_for: section.span("steady_for", range(), TimeDelta::minutes(10)),
    };
    section.refuse_unknown();
    clock
}

/// Reads `[worker]`.
pub(super) fn read_worker(section: &Section<'_>) -> WorkerSettings {
    let seconds = TimeDelta::seconds;
    let worker = WorkerSettings {
        max_attempts: section.whole("max_attempts", 1..=50, 8),
        give_up_after: section.span("give_up_after", seconds(60)..=seconds(2_592_000), seconds(86_400)),
        first_retry_after: section.span("first_retry_after", seconds(1)..=seconds(3_600), seconds(2)),
        longest_retry_after: section.span("longest_retry_after", seconds(1)..=seconds(86_400), seconds(900)),
        poll_every: section.span("poll_every", seconds(1)..=seconds(300), seconds(5)),
        runs_at_once: section.whole("runs_at_once", 1..=256, 32),
        lease: section.span("lease", seconds(3)..=seconds(600), seconds(60)),
    };
    if worker.first_retry_after > worker.longest_retry_after {
        section.fault("first_retry_after", "wanted: at most longest_retry_after");
    }
    section.refuse_unknown();
    worker
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn off_loopback_the_way_to_the_database_is_said() {
        for fine in [
            "postgres://localhost/c",
            "postgresql://cs:pw@127.0.0.1:5433/c?application_name=x",
            "postgres://cs@[::1]/c",
            "postgres://cs@%2Fvar%2Frun%2Fpostgresql/c",
            "postgres:///c?host=/var/run/postgresql",
            "postgres://cs:pw@db.example.com/c?sslmode=verify-full",
            "postgres://cs:pw@db.example.com/c?sslmode=verify-ca",
            "postgres://cs:pw@db.example.com/c?ssl-mode=REQUIRE",
            "postgres://cs:pw@database/c?sslmode=disable",
        ] {
            assert!(is_sheltered(fine), "{fine}");
        }
        for bare in [
            "postgres://cs:pw@db.example.com/c",
            "postgres://cs:pw@database/c",
            "postgres://cs:pw@10.0.0.7/c?sslmode=prefer",
            "postgres://cs:pw@10.0.0.7/c?sslmode=allow",
            "postgres://cs:pw@10.0.0.7/c?sslmode=require&sslmode=prefer",
            "postgres://cs:pw@10.0.0.7/c?sslmode=",
            "postgres://cs:pw@localhost.example.com/c",
            "postgres://cs:pw@localhost/c?host=db.example.com",
            "postgres://cs:pw@localhost/c?hostaddr=10.0.0.7",
            "postgres:///c",
        ] {
            assert!(!is_sheltered(bare), "{bare}");
        }
    }
}
