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

#[cfg(test)]
mod tests {
    use super::*;

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
