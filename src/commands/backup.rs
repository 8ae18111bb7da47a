//! `backup`: a copy of the database while the service runs, and the head that the copy ends at.
//!
//! Must hold: nothing is written over; a PostgreSQL is not copied by us, since its own tools do that right, and the
//! command for it is said in full, without the password.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use secrecy::ExposeSecret as _;
use url::Url;

use super::{Configured, failed};
use crate::clock::World;
use crate::config::{Database, DatabaseEngine};
use crate::store::backup;

/// Where to.
#[derive(Debug, Args)]
pub(super) struct Backup {
    /// The file to make; nothing may be there yet.
    #[arg(long)]
    to: PathBuf,
    #[command(flatten)]
    at: Configured,
}

impl Backup {
    pub(super) async fn run(self, world: World) -> ExitCode {
        let settings = match self.at.existing() {
            Ok(settings) => settings,
            Err(code) => return code,
        };
        match settings.database.engine {
            DatabaseEngine::Postgres => {
                return failed(&format!(
                    "a PostgreSQL is backed up by its own tools, while everything runs: {}",
                    dump(&settings.database, &self.to)
                ));
            }
            DatabaseEngine::Sqlite => {}
        }
        let service = match self.at.opened(world).await {
            Ok(service) => service,
            Err(code) => return code,
        };
        let taken = backup::take(&service.kit.store, &self.to).await;
        service.kit.store.close().await;
        match taken {
            Ok(Some(head)) => {
                say!("{}", head.line());
                eprintln!(
                    "{}: the copy ends at this head; keep it with the copy, apart from the key",
                    self.to.display()
                );
                ExitCode::SUCCESS
            }
            Ok(None) => {
                eprintln!("{}: a copy; nothing is sealed in it yet", self.to.display());
                ExitCode::SUCCESS
            }
            Err(fault) => failed(&format!("--to: {fault}")),
        }
    }
}

/// The command that makes the copy; the password is asked for, or comes from `PGPASSWORD` or a password file.
fn dump(database: &Database, to: &std::path::Path) -> String {
    let mut address = Url::parse(database.url.expose_secret()).ok();
    if let Some(url) = &mut address {
        // Only an address without a host refuses this, and that one has no password either.
        let _ = url.set_password(None);
    }
    let address = address.map_or_else(|| "ADDRESS".to_owned(), |url| url.to_string());
    let schema = database.schema.as_ref().map(|schema| format!(" --schema={schema}")).unwrap_or_default();
    format!(
        "pg_dump --format=custom{schema} --file={} --dbname={}",
        quoted(&to.display().to_string()),
        quoted(&address)
    )
}

/// One word for a shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use secrecy::SecretString;

    use super::*;

    #[test]
    fn the_command_for_postgresql_is_whole_and_tells_no_password() {
        let database = Database {
            url: SecretString::from("postgres://cs:s3cret@db.example.com/c?sslmode=verify-full"),
            engine: DatabaseEngine::Postgres,
            schema: Some("own".to_owned()),
            most_pages: None,
        };
        assert_eq!(
            dump(&database, std::path::Path::new("/backup/it's.dump")),
            "pg_dump --format=custom --schema=own --file='/backup/it'\\''s.dump' \
             --dbname='postgres://cs@db.example.com/c?sslmode=verify-full'"
        );
    }
}
