//! The service as a process of its own: the built binary, its settings file, its log, its end.
//!
//! Must hold: the process runs on the machine's clock, so nothing in here depends on the hour; a process that a story
//! forgets is killed; waiting is asking again until a deadline.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use countersign::clock::World;
use countersign::key::KeyRing;
use countersign::simulator::Simulator;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::app::{CLIENT_SECRET, Choices, PASSWORD_FILE, Stage, simulator, spelled};
use super::database::Database;
use super::world::HandClock;

/// How long a process may take to come up or go down; generous, for a machine that is busy.
const PATIENCE: Duration = Duration::from_mins(1);

/// Asks again until the answer is there.
pub async fn until<T>(what: &str, asked: impl AsyncFnMut() -> Option<T>) -> T {
    until_at_most(what, PATIENCE, asked).await
}

/// The same, with more patience.
pub async fn until_at_most<T>(
    what: &str,
    patience: Duration,
    mut asked: impl AsyncFnMut() -> Option<T>,
) -> T {
    let asking = async {
        let mut beat = tokio::time::interval(Duration::from_millis(20));
        loop {
            beat.tick().await;
            if let Some(answer) = asked().await {
                return answer;
            }
        }
    };
    tokio::time::timeout(patience, asking).await.unwrap_or_else(|_| panic!("in vain waited for {what}"))
}

/// What this machine calls the account whose commands these are.
pub fn machine_name() -> String {
    let asked = "n=$(cat /proc/self/loginuid 2>/dev/null); [ \"${n:-4294967295}\" = 4294967295 ] && n=$(id -u); \
                 name=$(getent passwd \"$n\" | cut -d: -f1); echo \"${name:-$n}\"";
    let said = Command::new("sh").args(["-c", asked]).output().unwrap();
    String::from_utf8(said.stdout).unwrap().trim().to_owned()
}

/// The binary with these arguments and a settings file, run to its end with nothing to read. The environment lies about
/// who it is.
pub async fn command(arguments: &[&str], settings: &Path) -> Output {
    to_run(arguments, settings).stdin(Stdio::null()).output().await.unwrap()
}

fn to_run(arguments: &[&str], settings: &Path) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_countersign"));
    command.args(arguments).arg("--config").arg(settings).kill_on_drop(true);
    for lie in ["SUDO_USER", "USER", "LOGNAME"] {
        command.env(lie, "mallory");
    }
    command.env_remove("COUNTERSIGN_LOG");
    command
}

/// The same for a command that asks for a code: each time it does, it gets what the story answers, a line each.
pub async fn command_asked(
    arguments: &[&str],
    settings: &Path,
    mut answer: impl AsyncFnMut() -> Option<String>,
) -> Output {
    let mut command = to_run(arguments, settings);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let (mut input, mut errors) = (child.stdin.take(), child.stderr.take().unwrap());
    let (mut told, mut asked, mut byte) = (vec![], 0, [0]);
    while tokio::time::timeout(PATIENCE, errors.read(&mut byte)).await.expect("it says nothing").unwrap() > 0
    {
        told.push(byte[0]);
        if told[asked..].ends_with(b"Code: ") {
            asked = told.len();
            match (answer().await, &mut input) {
                (Some(code), Some(input)) => input.write_all(format!("{code}\n").as_bytes()).await.unwrap(),
                // Nothing more is typed.
                (_, input) => drop(input.take()),
            }
        }
    }
    drop(input);
    let done = child.wait_with_output().await.unwrap();
    Output { stderr: told, ..done }
}

impl Stage {
    /// A command given by somebody who reads the code that the service mails to their address, if it asks for one.
    pub async fn command_as(&self, arguments: &[&str], who: &str) -> Output {
        let arguments = [arguments, &["--as", who]].concat();
        command_asked(&arguments, &self.settings_file(), async || Some(self.mailed_code(who).await)).await
    }

    /// The code that a command has asked for a moment ago, by the clock of the machine.
    pub async fn mailed_code(&self, who: &str) -> String {
        self.clock.be_real();
        let before = self.codes(who);
        self.settle().await;
        assert!(self.codes(who) > before, "a code goes to {who}");
        self.code(who)
    }

    /// The settings of the service as a file, for commands of the operator.
    pub fn settings_file(&self) -> PathBuf {
        let listen = self.url.strip_prefix("http://").unwrap();
        let vaults = (&self.simulator, self.onprem.as_ref());
        let text = spelled(vaults, &self.database, self.folder.path(), &self.choices, listen);
        let file = self.folder.path().join("story.toml");
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Counts over a second connection.
    pub async fn count(&self, question: &str) -> i64 {
        self.database.count(self.folder.path(), question).await
    }
}

/// What processes need around them: the simulated world, a folder, a key, a database.
pub struct Outside {
    pub simulator: Simulator,
    pub folder: TempDir,
    pub database: Database,
    pub choices: Choices,
}

impl Outside {
    pub async fn begin(database: Database) -> Self {
        Self::with(database, Choices::default()).await
    }

    pub async fn with(database: Database, choices: Choices) -> Self {
        let simulator = simulator(&choices, &HandClock::begin()).await;
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join(PASSWORD_FILE), CLIENT_SECRET).unwrap();
        KeyRing::read_or_make(&folder.path().join("story.key"), &World::real()).unwrap();
        Self { simulator, folder, database, choices }
    }

    /// A settings file for a process that listens on this address.
    pub fn settings_file(&self, name: &str, listen: &str) -> PathBuf {
        let text =
            spelled((&self.simulator, None), &self.database, self.folder.path(), &self.choices, listen);
        let file = self.folder.path().join(name);
        std::fs::write(&file, text).unwrap();
        file
    }

    /// Starts the service and waits until it is ready.
    pub async fn serve(&self, name: &str) -> Process {
        let process = self.launch(name);
        process.ready().await;
        process
    }

    /// Starts the service and does not wait.
    pub fn launch(&self, name: &str) -> Process {
        self.launch_under(name, &[])
    }

    /// The same, with something more in its environment.
    pub fn launch_under(&self, name: &str, environment: &[(&str, String)]) -> Process {
        self.launch_prepared(name).launched(environment)
    }

    fn launch_prepared(&self, name: &str) -> Prepared {
        // The port is free now; whoever takes it in between makes the story fail, not lie.
        let listen = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        let settings = self.settings_file(&format!("{name}.toml"), &listen);
        Prepared { settings, log: self.folder.path().join(format!("{name}.log")), listen }
    }

    /// The same, with this in its settings replaced by that.
    pub fn launch_told(
        &self,
        name: &str,
        environment: &[(&str, String)],
        (this, that): (&str, &str),
    ) -> Process {
        let process = self.launch_prepared(name);
        let text = std::fs::read_to_string(&process.settings).unwrap();
        assert!(text.contains(this), "the settings do not name {this}");
        std::fs::write(&process.settings, text.replace(this, that)).unwrap();
        process.launched(environment)
    }

    /// Counts over a second connection.
    pub async fn count(&self, question: &str) -> i64 {
        self.database.count(self.folder.path(), question).await
    }
}

/// A service with its settings written, about to start.
struct Prepared {
    settings: PathBuf,
    log: PathBuf,
    listen: String,
}

impl Prepared {
    fn launched(self, environment: &[(&str, String)]) -> Process {
        let child = Command::new(env!("CARGO_BIN_EXE_countersign"))
            .args(["serve", "--config"])
            .arg(&self.settings)
            .env_remove("COUNTERSIGN_LOG")
            .envs(environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(&self.log).unwrap())
            .spawn()
            .unwrap();
        Process { child, url: format!("http://{}", self.listen), log: self.log }
    }
}

/// A running service.
pub struct Process {
    child: Child,
    pub url: String,
    log: PathBuf,
}

impl Process {
    /// Waits until it answers and its database is there.
    pub async fn ready(&self) {
        let browser = reqwest::Client::builder().timeout(Duration::from_secs(5)).build().unwrap();
        let asked = until("a ready service", async || {
            let answer = browser.get(format!("{}/readyz", self.url)).send().await.ok()?;
            (answer.status() == 200).then_some(())
        });
        asked.await;
    }

    /// Everything it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    /// Has it ended, by itself or by somebody else's hand?
    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGKILL: no last words.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM: an orderly end is asked for, not awaited.
    pub fn terminate(&self) {
        let told = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.child.id())]).status();
        assert!(told.unwrap().success());
    }

    /// How it ended.
    pub async fn ended(&mut self) -> ExitStatus {
        until("the end of the service", async || self.child.try_wait().unwrap()).await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended long ago; nothing depends on what the system answers.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            println!("{}", std::fs::read_to_string(&self.log).unwrap_or_default());
        }
    }
}
