//! The users a vault brings with it: its own officers and its components.
//!
//! Must hold: no request ever names one of them, whoever sends it. The component patterns are as narrow as the
//! vault's own naming allows, because a person may well be called `psmith`. Deliberately absent: users that an
//! operator protects (those are settings).

use super::names::UserName;

const EXACTLY: [&str; 11] = [
    "administrator",
    "auditor",
    "backup",
    "batch",
    "dr",
    "master",
    "notificationengine",
    "operator",
    "passwordmanager",
    "psm",
    "ptauser",
];

const BEGINNING_WITH: [&str; 13] = [
    "appprovider",
    "passwordmanager_",
    "passwordmanagershared",
    "prov_",
    "psm_",
    "psmapp",
    "psmgw",
    "psmp_",
    "psmpadb",
    "psmpapp",
    "psmpgw",
    "ptaappuser",
    "pvwa",
];

/// Is this the name of an officer or a component of the vault? Compared without case.
pub fn is_built_in(name: &UserName) -> bool {
    let key = name.key();
    EXACTLY.contains(&key.as_str()) || BEGINNING_WITH.iter().any(|prefix| key.starts_with(prefix))
}

/// Is this the name of the account that a service signs in with? Compared without case. A platform's user signs in as
/// `NAME@SUFFIX`, a directory's perhaps as `DOMAIN\NAME`; the vault may know either under the whole or the bare name.
pub fn is_same_account(signs_in_as: &str, name: &str) -> bool {
    let whole = signs_in_as.to_lowercase();
    let bare = whole.rsplit('\\').next().unwrap_or(&whole);
    let bare = bare.split('@').next().unwrap_or(bare);
    let name = name.to_lowercase();
    let short = name.split('@').next().unwrap_or(&name);
    name == whole || name == bare || short == bare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_account_is_known_under_each_of_its_names() {
        for (signs_in_as, name) in [
            ("svc-cs@cyberark.cloud.1234", "SVC-CS@cyberark.cloud.1234"),
            ("svc-cs@cyberark.cloud.1234", "svc-cs"),
            ("svc-cs", "Svc-Cs@corp.example"),
            ("CORP\\svc-cs", "svc-cs"),
            ("svc-cs", "SVC-CS"),
        ] {
            assert!(is_same_account(signs_in_as, name), "{signs_in_as} {name}");
        }
        assert!(!is_same_account("svc-cs@corp", "svc-cs2") && !is_same_account("CORP\\svc-cs", "corp"));
    }

    #[test]
    fn the_vaults_own_users_are_known_and_people_are_not_taken_for_them() {
        let built_in = |text: &str| is_built_in(&UserName::parse(text).unwrap());
        for own in [
            "Administrator",
            "AUDITOR",
            "master",
            "DR",
            "Batch",
            "PSMApp_HOST1",
            "PSMGw_HOST1",
            "PSMPApp_linux1",
            "PVWAAppUser",
            "Prov_host7",
            "PasswordManager",
            "NotificationEngine",
            "PTAUser",
            "PSM",
        ] {
            assert!(built_in(own), "{own}");
        }
        for person in ["psmith", "drew", "masterson", "provost", "zobrien", "administrator2", "batchelor"] {
            assert!(!built_in(person), "{person}");
        }
    }
}
