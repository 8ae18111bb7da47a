//! The three places outside the settings file from which a setting may be fetched.
//!
//! Must hold: a command runs without a shell, without input and within a time limit; what it prints is bounded.
//! Deliberately absent: any opinion on what the texts mean (see `secrets.rs`).

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

/// How long a command may take to print a secret.
pub const COMMAND_LIMIT: Duration = Duration::from_secs(10);

/// No file and no output that belongs to the settings is longer than this, in bytes.
const MOST_BYTES: u64 = 1024 * 1024;

/// Why something could not be fetched. The texts name no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unfetched {
    /// The variable is not there or is not UTF-8.
    #[error("is not set")]
    NotSet,
    /// There is no such file or program.
    #[error("does not exist")]
    NotFound,
    /// The system refuses it to this user.
    #[error("may not be read or run by this user")]
    Forbidden,
    /// Another failure of reading or starting.
    #[error("could not be read or started")]
    Broken,
    /// Not UTF-8, or longer than a mebibyte.
    #[error("is not a text of at most 1 MiB in UTF-8")]
    NotText,
    /// The command took too long and was ended.
    #[error("did not end in time")]
    TooSlow,
    /// The command ended with a status that says failure.
    #[error("ended with a failure")]
    Failed,
}

/// Environment, files and commands, as the settings see them.
pub trait World {
    /// The value of an environment variable.
    fn env(&self, name: &str) -> Result<String, Unfetched>;
    /// The whole text of a file.
    fn file(&self, path: &Path) -> Result<String, Unfetched>;
    /// What a program prints, run without a shell and for at most `limit`.
    fn output(&self, program: &str, arguments: &[String], limit: Duration) -> Result<String, Unfetched>;
    /// What is wrong with a condition, if anything: whoever knows its language says so together with the other faults.
    fn fault_of_condition(&self, _text: &str) -> Option<String> {
        None
    }
}

/// This machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct Machine;

impl World for Machine {
    fn env(&self, name: &str) -> Result<String, Unfetched> {
        std::env::var(name).map_err(|_| Unfetched::NotSet)
    }

    fn file(&self, path: &Path) -> Result<String, Unfetched> {
        let file = std::fs::File::open(path).map_err(|error| why(&error))?;
        let bytes = bounded(file).map_err(|error| why(&error))?;
        text(bytes)
    }

    fn output(&self, program: &str, arguments: &[String], limit: Duration) -> Result<String, Unfetched> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| why(&error))?;
        let Some(pipe) = child.stdout.take() else { return Err(Unfetched::Broken) };
        let (sender, printed) = mpsc::channel();
        // A thread of its own, because a read of a pipe cannot be given a time limit.
        thread::spawn(move || sender.send(bounded(pipe)));
        let bytes = match printed.recv_timeout(limit) {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => return Err(end(&mut child, Unfetched::Broken)),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                return Err(end(&mut child, Unfetched::TooSlow));
            }
        };
        match status_soon(&mut child) {
            Some(status) if status.success() => text(bytes),
            Some(_) => Err(Unfetched::Failed),
            None => Err(end(&mut child, Unfetched::TooSlow)),
        }
    }
}

fn bounded(from: impl Read) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn text(bytes: Vec<u8>) -> Result<String, Unfetched> {
    let fits = u64::try_from(bytes.len()).is_ok_and(|length| length <= MOST_BYTES);
    if !fits {
        return Err(Unfetched::NotText);
    }
    String::from_utf8(bytes).map_err(|_| Unfetched::NotText)
}

fn why(error: &std::io::Error) -> Unfetched {
    match error.kind() {
        std::io::ErrorKind::NotFound => Unfetched::NotFound,
        std::io::ErrorKind::PermissionDenied => Unfetched::Forbidden,
        _ => Unfetched::Broken,
    }
}

/// Ends a program that is of no more use. A failure here changes nothing: the fault is already known.
fn end(child: &mut Child, because: Unfetched) -> Unfetched {
    child.kill().ok();
    child.wait().ok();
    because
}

/// The status of a program that has closed its output; it has one more second to end.
fn status_soon(child: &mut Child) -> Option<ExitStatus> {
    let (_held, never) = mpsc::channel::<()>();
    for _ in 0..100 {
        if let Ok(Some(status)) = child.try_wait() {
            return Some(status);
        }
        never.recv_timeout(Duration::from_millis(10)).ok();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, limit: Duration) -> Result<String, Unfetched> {
        Machine.output("sh", &["-c".to_owned(), script.to_owned()], limit)
    }

    #[test]
    fn a_command_is_heard_only_when_it_ends_well_and_in_time() {
        assert_eq!(run("printf word", COMMAND_LIMIT), Ok("word".to_owned()));
        assert_eq!(run("printf word; exit 3", COMMAND_LIMIT), Err(Unfetched::Failed));
        assert_eq!(run("exec sleep 60", Duration::from_millis(50)), Err(Unfetched::TooSlow));
        assert_eq!(Machine.output("/nowhere/at/all", &[], COMMAND_LIMIT), Err(Unfetched::NotFound));
    }

    #[test]
    fn a_file_that_is_not_text_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("secret");
        std::fs::write(&path, [0xff, 0xfe]).unwrap();
        assert_eq!(Machine.file(&path), Err(Unfetched::NotText));
        assert_eq!(Machine.file(&folder.path().join("other")), Err(Unfetched::NotFound));
    }
}
