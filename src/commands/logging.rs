//! Log lines on standard error.
//!
//! Must hold: libraries that would print connection strings stay at warnings, whatever the filter of the environment
//! says about the rest.

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::LevelFilter;

use crate::config::LogFormat;

/// Begins to log; `COUNTERSIGN_LOG` takes a filter such as `debug`.
pub(super) fn begin(format: LogFormat, otherwise: LevelFilter) {
    let mut filter = EnvFilter::builder()
        .with_default_directive(otherwise.into())
        .with_env_var("COUNTERSIGN_LOG")
        .from_env_lossy();
    for quiet in
        ["sea_orm=warn", "sqlx=warn", "sea_orm_migration=warn", "hyper=warn", "h2=warn", "actix_server=warn"]
    {
        if let Ok(directive) = quiet.parse() {
            filter = filter.add_directive(directive);
        }
    }
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let begun = match format {
        LogFormat::Pretty => lines.with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if begun.is_err() {
        eprintln!("countersign: logging was begun already");
    }
}
