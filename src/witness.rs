//! The witness: the last head of the log, kept in a file outside the database.
//!
//! Must hold: a database that does not contain this head is an older one that was put back, or one that was rewritten;
//! so the file is replaced only by a head of the same log, whole and durable or not at all, and never by a start.
//! Whoever compares is [`crate::kit::Kit::compare_log`]; what follows from it stands in the database.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::key::{KeyRing, is_signed_by};
use crate::store::seals::Head;

/// The file and what it holds.
#[derive(Debug)]
pub struct Witness {
    file: PathBuf,
    seen: Mutex<Seen>,
}

#[derive(Debug)]
struct Seen {
    kept: Option<Head>,
    keeping: Keeping,
}

/// So many files of tries that were cut off may stand beside the file.
const MOST_BESIDE: u32 = 1_000;

/// Can the head be kept?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keeping {
    /// As far as anybody has tried.
    Works,
    /// The file could not be written the last time.
    Fails,
}

/// The file is there and is no witness.
#[derive(Debug, thiserror::Error)]
pub enum WitnessFault {
    /// It cannot be read.
    #[error("the file with the last head of the log cannot be read: {0}")]
    Read(std::io::Error),
    /// It holds something else.
    #[error(
        "the file holds no head that was signed with this key; wanted: the file that this service wrote, or none, if this \
         installation is begun anew"
    )]
    Foreign,
}

impl Witness {
    /// Reads the file; where there is none, nothing was sealed yet under these settings.
    pub fn open(file: &Path, keys: &KeyRing) -> Result<Self, WitnessFault> {
        let kept = match std::fs::read_to_string(file) {
            Ok(text) => {
                let head = Head::parse(&text).ok_or(WitnessFault::Foreign)?;
                let signed = Head::signed_text(head.number, head.hash);
                if !is_signed_by(&keys.signer().public(), signed.as_bytes(), &head.signature) {
                    return Err(WitnessFault::Foreign);
                }
                Some(head)
            }
            Err(fault) if fault.kind() == std::io::ErrorKind::NotFound => None,
            Err(fault) => return Err(WitnessFault::Read(fault)),
        };
        let seen = Seen { kept, keeping: Keeping::Works };
        Ok(Self { file: file.to_owned(), seen: Mutex::new(seen) })
    }

    /// A witness that keeps nothing, for what is not about it.
    #[cfg(test)]
    pub(crate) fn nowhere() -> Self {
        let seen = Seen { kept: None, keeping: Keeping::Works };
        Self { file: PathBuf::from("/nowhere/countersign.head"), seen: Mutex::new(seen) }
    }

    /// The head that the log must contain.
    pub fn kept(&self) -> Option<Head> {
        self.seen().kept.clone()
    }

    /// Could it be kept the last time?
    pub fn keeping(&self) -> Keeping {
        self.seen().keeping
    }

    /// Keeps a head of the same log in place of the one before.
    pub async fn keep(&self, head: Head) -> std::io::Result<()> {
        if self.seen().kept.as_ref() == Some(&head) {
            return Ok(());
        }
        let (file, line) = (self.file.clone(), format!("{}\n", head.line()));
        let written = tokio::task::spawn_blocking(move || replace(&file, line.as_bytes())).await;
        let written = written.map_err(std::io::Error::other).flatten();
        let mut seen = self.seen();
        if written.is_ok() {
            seen.kept = Some(head);
            seen.keeping = Keeping::Works;
        } else {
            seen.keeping = Keeping::Fails;
        }
        written
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Puts a new file in the place of the old one. A crash leaves the one or the other.
fn replace(file: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let (beside, mut fresh) = beside(file)?;
    fresh.write_all(bytes)?;
    fresh.sync_all()?;
    drop(fresh);
    std::fs::rename(&beside, file)?;
    std::fs::File::open(folder)?.sync_all()
}

/// A new file beside. Replicas may share a folder, and in containers a process's number, too; so each takes a name that
/// nobody has, one after the other where some are left from a crash.
fn beside(file: &Path) -> std::io::Result<(PathBuf, std::fs::File)> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    for number in 0..MOST_BESIDE {
        let mut name = file.as_os_str().to_owned();
        name.push(format!(".{}-{number}", std::process::id()));
        let name = PathBuf::from(name);
        match options.open(&name) {
            Ok(fresh) => return Ok((name, fresh)),
            Err(fault) if fault.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(fault) => return Err(fault),
        }
    }
    Err(std::io::Error::other("files of earlier tries stand beside it; remove those that end in a number"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::canon::Digest;

    fn head(keys: &KeyRing, number: i64) -> Head {
        let hash = Digest::of_bytes(&number.to_be_bytes());
        let signature = keys.signer().sign(Head::signed_text(number, hash).as_bytes()).to_vec();
        Head { number, hash, signature }
    }

    #[tokio::test]
    async fn what_is_kept_is_there_after_a_start_and_only_under_the_same_key() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("c.head");
        let keys = KeyRing::from_bytes([7; 32]);
        let witness = Witness::open(&file, &keys).unwrap();
        assert_eq!(witness.kept(), None);
        for number in [3, 9] {
            witness.keep(head(&keys, number)).await.unwrap();
        }
        assert_eq!(Witness::open(&file, &keys).unwrap().kept(), Some(head(&keys, 9)));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let other = Witness::open(&file, &KeyRing::from_bytes([8; 32]));
        assert!(matches!(other, Err(WitnessFault::Foreign)), "{other:?}");
        std::fs::write(&file, "something else").unwrap();
        assert!(matches!(Witness::open(&file, &keys), Err(WitnessFault::Foreign)));
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_written_is_told_and_the_old_head_stays() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyRing::from_bytes([7; 32]);
        let witness = Witness::open(&folder.path().join("gone").join("c.head"), &keys).unwrap();
        assert!(witness.keep(head(&keys, 1)).await.is_err());
        assert_eq!((witness.kept(), witness.keeping()), (None, Keeping::Fails));
    }
}
