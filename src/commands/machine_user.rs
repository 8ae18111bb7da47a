//! Who runs a command, as far as the machine can tell.
//!
//! Must hold: number and name come from the kernel and from the machine's own list of accounts, and nothing from the
//! environment, which anybody at a shell may set; where the kernel knows who logged in, that counts, whatever they have
//! become since by `sudo` or `su`; where it knows nobody, the account that the command runs as gives a name and proves
//! nothing.

use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use crate::domain::operator::MachineUser;

/// What the kernel says where nobody has logged in, as in a container.
const NOBODY_LOGGED_IN: u32 = u32::MAX;

/// The person at the keyboard.
pub(super) fn machine_user() -> MachineUser {
    let number = logged_in();
    let known = number.or_else(runs_as);
    let account = known.and_then(account_of);
    MachineUser { called: called(known, account.as_deref()), number, account }
}

/// What the machine calls the person at the keyboard.
pub(super) fn operator() -> String {
    machine_user().called
}

/// The account's name, else its number.
fn called(number: Option<u32>, account: Option<&str>) -> String {
    match (account, number) {
        (Some(account), _) => account.to_owned(),
        (None, Some(number)) => number.to_string(),
        (None, None) => "unnamed operator".to_owned(),
    }
}

fn logged_in() -> Option<u32> {
    let text = std::fs::read_to_string("/proc/self/loginuid").ok()?;
    text.trim().parse().ok().filter(|number| *number != NOBODY_LOGGED_IN)
}

fn runs_as() -> Option<u32> {
    // The owner of a process's own entry is the account that it runs as.
    std::fs::metadata("/proc/self").ok().map(|entry| entry.uid())
}

/// The account's name, from the machine's own list or, where it stands in a directory, from whoever the machine asks.
fn account_of(number: u32) -> Option<String> {
    let own = std::fs::read_to_string("/etc/passwd").ok();
    own.and_then(|list| name_in(&list, number)).or_else(|| asked_of_directory(number))
}

/// As `/etc/passwd` and `getent` spell accounts.
fn name_in(list: &str, number: u32) -> Option<String> {
    list.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, told) = (fields.next()?, fields.nth(1)?);
        (told.parse() == Ok(number) && !name.is_empty()).then(|| name.to_owned())
    })
}

/// Asked by its whole path and without our environment, so that nothing in there answers in its place.
fn asked_of_directory(number: u32) -> Option<String> {
    let mut getent = Command::new("/usr/bin/getent");
    getent.args(["passwd", &number.to_string()]).env_clear().stdin(Stdio::null()).stderr(Stdio::null());
    let answer = getent.output().ok().filter(|answer| answer.status.success())?;
    name_in(&String::from_utf8_lossy(&answer.stdout), number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_known_by_its_number() {
        let list = "root:x:0:0:root:/root:/bin/sh\nolga:x:1000:1000::/home/olga:/bin/sh\n:x:7:7::/:\n";
        assert_eq!(name_in(list, 1000).as_deref(), Some("olga"));
        assert_eq!((name_in(list, 100), name_in(list, 7)), (None, None));
    }

    #[test]
    fn who_has_no_name_is_called_by_the_number() {
        assert_eq!(called(Some(1000), Some("olga")), "olga");
        assert_eq!(called(Some(4711), None), "4711");
        assert_eq!(called(None, None), "unnamed operator");
        assert_eq!(account_of(u32::MAX - 7), None);
    }
}
