//! A PostgreSQL server of a story's own, to be stopped and started.
//!
//! Must hold: its crash safety is on, since that is what is told about; it ends with the story. A root user's server
//! runs as `postgres`, for the server refuses root.

use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use super::database::Database;
use super::process::until;

pub struct Server {
    folder: TempDir,
    programs: PathBuf,
    port: u16,
    child: Option<Child>,
}

impl Server {
    /// A fresh server that answers.
    pub async fn begin() -> Self {
        let programs = said_by(Command::new("pg_config").arg("--bindir"));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let folder = tempfile::tempdir().unwrap();
        if let Some((user, group)) = other_user() {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let mut server = Self { folder, programs: programs.into(), port, child: None };
        let data = server.data();
        let mut made = server.program("initdb");
        made.args(["--auth=trust", "--username=postgres", "--encoding=UTF8", "--no-sync", "-D"]).arg(data);
        assert!(made.status().unwrap().success(), "no database was made");
        server.start().await;
        server
    }

    /// Starts it and waits until it answers.
    pub async fn start(&mut self) {
        let port = self.port.to_string();
        let mut server = self.program("postgres");
        server.args(["-c", "listen_addresses=127.0.0.1", "-p", &port, "-k", "", "-D"]).arg(self.data());
        self.child = Some(server.spawn().unwrap());
        until("a server that answers", async || {
            let mut options = sea_orm::ConnectOptions::new(self.url());
            options.max_connections(1).sqlx_logging(false);
            sea_orm::Database::connect(options).await.ok()?.close().await.ok()
        })
        .await;
    }

    /// Ends it at once, in the middle of whatever it does; it has to recover when it is started.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let asked = Command::new("kill").args(["-QUIT", &child.id().to_string()]).status();
        assert!(asked.unwrap().success());
        child.wait().unwrap();
    }

    /// A schema of its own on it.
    pub fn database(&self) -> Database {
        Database::Postgres { url: self.url(), schema: "story".to_owned() }
    }

    fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let mut command = Command::new(self.programs.join(name));
        command
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        if let Some((user, group)) = other_user() {
            command.gid(group).uid(user);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.child.is_some() {
            self.stop();
        }
    }
}

/// The user and the group of `postgres`, where we are root.
fn other_user() -> Option<(u32, u32)> {
    let number = |flag: &str, of: &str| said_by(Command::new("id").args([flag, of])).parse().unwrap();
    let own: u32 = said_by(Command::new("id").arg("-u")).parse().unwrap();
    (own == 0).then(|| (number("-u", "postgres"), number("-g", "postgres")))
}

fn said_by(command: &mut Command) -> String {
    String::from_utf8(command.output().unwrap().stdout).unwrap().trim().to_owned()
}
