//! Log lines on standard error.
//!
//! Must hold: libraries that would print connection strings or whole mails stay at warnings, whatever the filter of
//! the environment says about the rest; a file or a pipe gets no colours.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogFormat;

/// Libraries that know more than a log may hold: statements and addresses of databases, heads of HTTP calls, and
/// the mails with their personal links, which the mail library prints line by line while it sends them.
const QUIET: [&str; 7] = [
    "sea_orm=warn",
    "sqlx=warn",
    "sea_orm_migration=warn",
    "hyper=warn",
    "h2=warn",
    "actix_server=warn",
    "lettre=warn",
];

/// What is logged when this is wanted, such as `debug`; what it does not name is logged at `otherwise`.
pub fn filter(wanted: &str, otherwise: LevelFilter) -> EnvFilter {
    let mut filter = EnvFilter::builder().with_default_directive(otherwise.into()).parse_lossy(wanted);
    for quiet in QUIET {
        if let Ok(directive) = quiet.parse() {
            filter = filter.add_directive(directive);
        }
    }
    filter
}

/// Begins to log; `COUNTERSIGN_LOG` takes a filter such as `debug`.
pub(super) fn begin(format: LogFormat, otherwise: LevelFilter) {
    let wanted = std::env::var("COUNTERSIGN_LOG").unwrap_or_default();
    let lines =
        tracing_subscriber::fmt().with_env_filter(filter(&wanted, otherwise)).with_writer(std::io::stderr);
    // On a terminal it stays the subscriber's own decision, which heeds NO_COLOR.
    let lines = if std::io::stderr().is_terminal() { lines } else { lines.with_ansi(false) };
    let begun = match format {
        LogFormat::Pretty => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if begun.is_err() {
        eprintln!("countersign: logging was begun already");
    }
}
