//! How a target is reached: the products, their secrets, a proxy.

use super::*;

const OF_THE_CLOUD: &str = r#"product = "privilege-cloud"
api_url = "https://acme.privilegecloud.cyberark.cloud/PasswordVault/API/"
token_url = "https://abc1234.id.cyberark.cloud/oauth2/platformtoken"
client_id = "svc-countersign@cyberark.cloud.1234"
client_secret = { file = "/run/vault" }
"#;

/// The good file with a vault of one's own.
fn self_hosted(more: &str) -> String {
    let account = r#"product = "self-hosted"
api_url = "https://pvwa.example.com/PasswordVault/API"
logon = "LDAP"
username = "svc-countersign"
password = { file = "/run/vault" }
"#;
    with(OF_THE_CLOUD, &format!("{account}{more}\n"))
}

#[test]
fn a_vault_of_ones_own_is_logged_on_to() {
    let settings = load(&self_hosted("")).unwrap();
    let Product::SelfHosted(logon) = &settings.targets[0].product else { panic!() };
    assert_eq!((logon.method, logon.username.as_str()), (LogonMethod::Ldap, "svc-countersign"));
    assert_eq!(logon.password.value().expose_secret(), VAULT_PASSWORD);
    assert_eq!((logon.sessions, logon.idle_limit), (Sessions::Concurrent, chrono::TimeDelta::minutes(20)));
    let proxied = "concurrent_sessions = false\nsession_idle_limit = \"5m\"\nproxy = \"http://proxy.example.com:3128\"\n\
                   proxy_username = \"cs\"\nproxy_password = { env = \"READER\" }";
    let settings = load(&self_hosted(proxied)).unwrap();
    let Product::SelfHosted(logon) = &settings.targets[0].product else { panic!() };
    assert_eq!((logon.sessions, logon.idle_limit), (Sessions::OneAtATime, chrono::TimeDelta::minutes(5)));
    let proxy = settings.targets[0].proxy.as_ref().unwrap();
    assert_eq!(proxy.url.as_str(), "http://proxy.example.com:3128/");
    assert_eq!(proxy.login.as_ref().unwrap().password.expose_secret(), READER_TOKEN);
    let printed = format!("{settings:?}");
    assert!(!printed.contains(VAULT_PASSWORD) && !printed.contains(READER_TOKEN));
}

#[test]
fn keys_of_the_cloud_and_wrong_words_are_refused_on_a_vault_of_ones_own() {
    let elsewhere = "belongs to product = \"privilege-cloud\"; wanted here: username and password";
    for (more, said) in [
        ("client_id = \"x\"", format!("client_id: {elsewhere}")),
        ("token_url = \"https://x.example\"", format!("token_url: {elsewhere}")),
        ("session_idle_limit = \"1s\"", "session_idle_limit: wanted: a span such as \"7d\", \"72h\", \"30m\" or \"10s\", from 3 to 86400 seconds".to_owned()),
        ("concurrent_sessions = \"yes\"", "concurrent_sessions: wanted: true or false".to_owned()),
        ("concurent_sessions = true", "concurent_sessions: unknown key; did you mean \"concurrent_sessions\"?".to_owned()),
    ] {
        assert_eq!(faults(&self_hosted(more)), [format!("c.toml: targets[0].{said}")], "{more}");
    }
    let text = self_hosted("");
    for (from, to, said) in [
        (
            "logon = \"LDAP\"\n",
            "",
            "logon: missing; wanted: \"CyberArk\", \"LDAP\", \"RADIUS\" or \"Windows\"",
        ),
        ("\"LDAP\"", "\"ldap\"", "logon: wanted: \"CyberArk\", \"LDAP\", \"RADIUS\" or \"Windows\""),
        (
            "username = \"svc-countersign\"\n",
            "",
            "username: missing; wanted: the user of the vault that this service works with",
        ),
        (
            "https://pvwa",
            "http://pvwa",
            "api_url: wanted: an https address without name, password and query; http only on loopback",
        ),
    ] {
        assert_eq!(faults(&text.replacen(from, to, 1)), [format!("c.toml: targets[0].{said}")], "{from}");
    }
}

#[test]
fn a_secret_that_was_exchanged_is_fetched_again() {
    let settings = load(&self_hosted("")).unwrap();
    let Product::SelfHosted(logon) = &settings.targets[0].product else { panic!() };
    let mut later = paper();
    later.files.insert("/run/vault", "another-password\n");
    assert_eq!(logon.password.fetched_again(&later).unwrap().expose_secret(), "another-password");
    assert_eq!(logon.password.value().expose_secret(), VAULT_PASSWORD);
    later.files.insert("/run/vault", "\n");
    assert_eq!(logon.password.fetched_again(&later).unwrap_err(), "the secret is empty");
    later.files.clear();
    assert_eq!(logon.password.fetched_again(&later).unwrap_err(), "the file of this secret does not exist");
}
