//! Who runs a command, as far as the machine can tell.
//!
//! Must hold: the number comes from the kernel and not from the environment, which anybody at a shell may set; where the
//! kernel knows who logged in, that counts, whatever they have become since by `sudo` or `su`.

use std::os::unix::fs::MetadataExt as _;

use crate::domain::operator::MachineUser;

/// What the kernel says where nobody has logged in, as in a container.
const NOBODY_LOGGED_IN: u32 = u32::MAX;

/// The person at the keyboard.
pub(super) fn machine_user() -> MachineUser {
    let number = logged_in().or_else(runs_as);
    MachineUser { called: operator(), number, account: number.and_then(account_of) }
}

/// What the environment calls the person at the keyboard.
pub(super) fn operator() -> String {
    ["SUDO_USER", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "unnamed operator".to_owned())
}

fn logged_in() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|number| *number != NOBODY_LOGGED_IN)
}

fn runs_as() -> Option<u32> {
    // The owner of a process's own entry is the account that it runs as.
    std::fs::metadata("/proc/self").ok().map(|entry| entry.uid())
}

/// The account's name, where it stands in the machine's own list. Directories are not asked: the number is enough to
/// tell two people apart.
fn account_of(number: u32) -> Option<String> {
    let known = std::fs::read_to_string("/etc/passwd").ok()?;
    known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, told) = (fields.next()?, fields.nth(1)?);
        (told.parse() == Ok(number)).then(|| name.to_owned())
    })
}
