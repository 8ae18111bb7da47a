mod privileged;
mod vaults;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::ExposeSecret;

use super::world::Unfetched;
use super::*;
use crate::domain::plan::{Description, DisableWith, UserShape};

/// A world of three maps.
struct Paper {
    env: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static str>,
    commands: BTreeMap<&'static str, &'static str>,
}

impl World for Paper {
    fn env(&self, name: &str) -> Result<String, Unfetched> {
        self.env.get(name).map(ToString::to_string).ok_or(Unfetched::NotSet)
    }

    fn file(&self, path: &Path) -> Result<String, Unfetched> {
        self.files.get(path.to_str().unwrap()).map(ToString::to_string).ok_or(Unfetched::NotFound)
    }

    fn output(&self, program: &str, arguments: &[String], _limit: Duration) -> Result<String, Unfetched> {
        let line = format!("{program} {}", arguments.join(" "));
        self.commands.get(line.as_str()).map(ToString::to_string).ok_or(Unfetched::Failed)
    }
}

const READER_TOKEN: &str = "reader-token-of-some-length";
const WEBHOOK: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const VAULT_PASSWORD: &str = "vault-password-unseen";

fn paper() -> Paper {
    Paper {
        env: [("READER", READER_TOKEN), ("HR_WEBHOOK", WEBHOOK), ("EMPTY", "")].into(),
        files: [("/run/vault", "vault-password-unseen\r\n")].into(),
        commands: [("print writer", "writer-token-of-some-length\n")].into(),
    }
}

pub(crate) const GOOD: &str = r#"
[http]
listen = "127.0.0.1:8081"
public_url = "http://127.0.0.1:8081"
trusted_proxies = []

[database]
url = "sqlite://countersign.db"

[secrets]
key_file = "countersign.key"

[mail]
from = "Countersign <countersign@example.com>"
smtp_url = "smtp://127.0.0.1:1025"

[operators]
mail = ["pam-team@example.com"]

[sign_in]
mode = "link"

[[api_clients]]
name = "reader"
token = { env = "READER" }
scopes = ["workflows:read", "audit:read"]

[[api_clients]]
name = "script"
token = { command = ["print", "writer"] }
scopes = ["requests:write"]
source = "script"

[[sources]]
name = "hr"
format = "jml/1"
people = "corp"
verify = { kind = "standard-webhooks", secrets = [{ env = "HR_WEBHOOK" }] }
timezone = "Europe/Berlin"
may_set = ["employment.manager.email"]

[[sources]]
name = "script"
format = "jml/1"
people = "corp"
verify = { kind = "api-token" }

[[targets]]
name = "vault"
product = "privilege-cloud"
api_url = "https://acme.privilegecloud.cyberark.cloud/PasswordVault/API/"
token_url = "https://abc1234.id.cyberark.cloud/oauth2/platformtoken"
client_id = "svc-countersign@cyberark.cloud.1234"
client_secret = { file = "/run/vault" }
max_concurrent_calls = 4
allowed_user_types = ["EPVUser", "BasicUser"]
location_root = "\\Users"
grantable_groups = ["Ops-Readers", "Linux Admins"]
privileged_groups = []
protected_users = ["Administrator", "svc-*"]
group_member = "auto"
user_shape = "nested"
disable_with = "put"
keeps_description = false
ca_file = ""

[[approver_groups]]
name = "pam-admins"
members = ["ana@example.com", "bo@example.com"]

[[profiles]]
name = "dba"
when = "req.employment.department == 'IT Ops'"
target = "vault"
user_type = "EPVUser"
location = "\\Users\\Ops"
groups = ["ops-readers"]
hand_over_to = "manager"

[[rules]]
name = "joiners"
kinds = ["joiner"]
when = "req.employment.type != 'contractor'"
stages = [{ ask = ["manager"], quorum = 1 }, { ask = ["group:pam-admins", "cy@example.com"], quorum = 3 }]
expire_after = "72h"

[[rules]]
name = "the rest"
default = true
stages = [{ ask = ["group:pam-admins"], quorum = 2 }]

[logs]
format = "json"

[worker]
max_attempts = 5
"#;

pub(crate) fn load(text: &str) -> Result<Settings, Vec<Fault>> {
    Settings::from_toml(text, "c.toml", &paper())
}

fn faults(text: &str) -> Vec<String> {
    load(text).unwrap_err().iter().map(ToString::to_string).collect()
}

/// The good file with one place changed.
fn with(from: &str, to: &str) -> String {
    assert!(GOOD.contains(from), "{from}");
    GOOD.replacen(from, to, 1)
}

#[test]
fn a_whole_file_becomes_domain_types() {
    let settings = load(GOOD).unwrap();
    assert_eq!(settings.http.public_url.as_str(), "http://127.0.0.1:8081/");
    assert_eq!(settings.database.engine, DatabaseEngine::Sqlite);
    assert_eq!(settings.mail.from_name.as_ref().unwrap().as_str(), "Countersign");
    assert_eq!((settings.mail.smtp.port, settings.mail.smtp.tls), (1025, SmtpTls::None));
    assert_eq!(settings.api_clients[1].token.expose_secret(), "writer-token-of-some-length");
    assert_eq!(settings.api_clients[1].source.as_ref().unwrap().as_str(), "script");
    let Verify::StandardWebhooks(keys) = &settings.sources[0].verify else { panic!() };
    assert_eq!(keys[0].expose_secret().len(), 24);
    assert_eq!(settings.sources[0].timezone, Some(chrono_tz::Europe::Berlin));
    let target = &settings.targets[0];
    let Product::PrivilegeCloud(cloud) = &target.product else { panic!() };
    assert_eq!(cloud.client_secret.value().expose_secret(), VAULT_PASSWORD);
    assert_eq!(target.api_url.as_str(), "https://acme.privilegecloud.cyberark.cloud/PasswordVault/API");
    assert_eq!(
        (target.dialect.description, target.dialect.user_shape, target.dialect.disable_with),
        (Description::NotKept, UserShape::Nested, DisableWith::Put)
    );
    assert_eq!(target.ca_file, None);
    assert_eq!(settings.profiles[0].when.key, "profiles[0].when");
    assert_eq!(settings.rules.ordered[0].expire_after, chrono::TimeDelta::hours(72));
    assert_eq!(settings.rules.default.expire_after, chrono::TimeDelta::days(7));
    assert_eq!((settings.logs, settings.worker.max_attempts), (LogFormat::Json, 5));
}

#[test]
fn nothing_secret_is_printed() {
    let printed = format!("{:?}", load(GOOD).unwrap());
    for secret in [READER_TOKEN, WEBHOOK, VAULT_PASSWORD, "writer-token", "countersign.db"] {
        assert!(!printed.contains(secret), "{secret}");
    }
}

/// One edit each: what stood there, what stands there now, the one line that is said.
#[rustfmt::skip]
const EDITS: [(&str, &str, &str); 78] = [
    ("[[sources]]\nname = \"hr\"", "[[source]]\nname = \"x\"\n[[sources]]\nname = \"hr\"", "source: unknown key; did you mean \"sources\"?"),
    ("listen =", "lisen =", "http.lisen: unknown key; did you mean \"listen\"?"),
    ("trusted_proxies = []", "trusted_proxies = [\"10.0.0.1/x\"]", "http.trusted_proxies[0]: wanted: an address such as 10.0.0.1, or a network such as 10.0.0.0/8"),
    ("\"http://127.0.0.1:8081\"", "\"https://cs.example.com\"", "sign_in.mode: \"link\" lets whoever has a mail decide, so it needs an http.public_url on loopback; wanted: \"code\", or accept_forwarded_links = true"),
    ("\"http://127.0.0.1:8081\"", "\"http://cs.example.com\"", "http.public_url: wanted: an address such as https://countersign.example.com, with a path if a proxy adds one; http only on loopback"),
    ("mode = \"link\"", "mode = \"oidc\"", "sign_in.mode: not available yet"),
    ("mode = \"link\"", "mode = \"links\"", "sign_in.mode: wanted: \"link\" or \"code\""),
    ("mode = \"link\"", "mode = \"code\"\naccept_forwarded_links = true", "sign_in.accept_forwarded_links: only with mode = \"link\"; a code cannot be forwarded"),
    ("mode = \"link\"", "idle_after = \"2h\"\nlifetime = \"1h\"", "sign_in.idle_after: wanted: at most lifetime"),
    ("mode = \"link\"", "lifetime = \"2d\"", "sign_in.lifetime: wanted: a span such as \"7d\", \"72h\", \"30m\" or \"10s\", from 60 to 86400 seconds"),
    ("url = \"sqlite://countersign.db\"", "url = \"mysql://u:p@h\"", "database.url: wanted: sqlite://FILE or postgres://…"),
    ("url = \"sqlite://countersign.db\"", "url = \"postgres://u:p@db.example.com/c\"", "database.url: off loopback it must say how the way there is protected; wanted: …?sslmode=verify-full (or verify-ca, require), or …?sslmode=disable where the network in between is your own alone"),
    ("key_file = \"countersign.key\"", "", "secrets.key_file: missing; wanted: the path of the key file"),
    ("smtp://127.0.0.1:1025", "smtp://mail.example.com", "mail.smtp_url: wanted: smtps://HOST[:PORT] or smtp://HOST[:PORT]?tls=required, without a name or password; plain smtp:// on loopback only"),
    ("\"smtp://127.0.0.1:1025\"", "\"smtp://127.0.0.1:1025\"\nusername = \"u\"", "mail.password: missing; wanted: a secret, because username is given"),
    ("mail = [\"pam-team@example.com\"]", "mail = []", "operators.mail: missing or empty; wanted: a list of at least one, each a mail address"),
    ("mail = [\"pam-team@example.com\"]", "mail = [\"a@example.com\"]\nmembers = [\"olga\"]", "operators.members[0]: wanted: a mail address"),
    ("mail = [\"pam-team@example.com\"]", "mail = [\"a@example.com\"]\nmembers = [\"olga@example.com\"]\nviewers = [\"Olga@example.com\"]", "operators.viewers: stands here twice; wanted: a value of its own"),
    ("{ env = \"READER\" }", "{ env = \"ABSENT\" }", "api_clients[0].token: the environment variable ABSENT is not set"),
    ("{ env = \"READER\" }", "{ env = \"a secret\" }", "api_clients[0].token: wanted: the name of an environment variable, of A-Z a-z 0-9 _"),
    ("{ env = \"READER\" }", "{ env = \"EMPTY\" }", "api_clients[0].token: is empty; wanted: a secret"),
    ("{ env = \"READER\" }", "{ file = \"/absent\" }", "api_clients[0].token: the file of this secret does not exist"),
    ("{ env = \"READER\" }", "{ command = [\"print\", \"none\"] }", "api_clients[0].token: the command of this secret ended with a failure"),
    ("{ env = \"READER\" }", "{ env = \"READER\", file = \"/x\" }", "api_clients[0].token: wanted: a string, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"program\", \"argument\"] }"),
    ("{ env = \"READER\" }", "\"short\"", "api_clients[0].token: wanted: 24 to 512 ASCII characters without spaces"),
    ("{ env = \"READER\" }", "\"writer-token-of-some-length\"", "api_clients[1].token: stands here twice; wanted: a token of its own"),
    ("\"audit:read\"]", "\"workflows:operate\"]", "api_clients[0].scopes[1]: wanted: workflows:read, audit:read or requests:write; workflows:operate is not available yet"),
    ("source = \"script\"", "", "api_clients[1].source: missing; wanted: the name of a source"),
    ("source = \"script\"", "source = \"scripts\"", "api_clients[1].source: wanted: the name of one of the sources"),
    ("source = \"script\"", "source = \"hr\"", "api_clients[1].source: wanted: a source whose verify.kind is \"api-token\""),
    ("scopes = [\"workflows:read\", \"audit:read\"]", "scopes = [\"audit:read\"]\nsource = \"script\"", "api_clients[0].source: wanted: only together with the scope requests:write"),
    ("name = \"hr\"", "name = \"script\"", "sources[1].name: stands here twice; wanted: a value of its own"),
    ("format = \"jml/1\"", "format = \"scim\"", "sources[0].format: wanted: \"jml/1\"; other formats are not available yet"),
    ("verify = { kind = \"api-token\" }", "", "sources[1].verify: missing; wanted: how a message of this source is verified"),
    ("kind = \"api-token\"", "kind = \"none\"", "sources[1].verify.kind: wanted: \"standard-webhooks\", \"hmac\", \"token\", \"basic\" or \"api-token\""),
    ("[{ env = \"HR_WEBHOOK\" }]", "[]", "sources[0].verify.secrets: missing or empty; wanted: a list of at least one secret"),
    ("[{ env = \"HR_WEBHOOK\" }]", "[\"whsec_c2hvcnQ=\"]", "sources[0].verify.secrets[0]: wanted: whsec_ and 24 to 64 bytes in base64"),
    ("Europe/Berlin", "Europe/Bonn", "sources[0].timezone: wanted: an IANA zone such as \"Europe/Berlin\""),
    ("timezone =", "unapproved_leavers_per_hour = -5\ntimezone =", "sources[0].unapproved_leavers_per_hour: wanted: a whole number from 0 to 10000"),
    ("product = \"privilege-cloud\"", "product = \"identity-scim\"", "targets[0].product: not available yet"),
    ("product = \"privilege-cloud\"", "product = \"selfhosted\"", "targets[0].product: wanted: \"privilege-cloud\" or \"self-hosted\""),
    ("privileged_groups = []", "logon = \"CyberArk\"", "targets[0].logon: belongs to product = \"self-hosted\"; wanted here: token_url, client_id and client_secret"),
    ("api_url = \"https", "api_url = \"http", "targets[0].api_url: wanted: an https address without name, password and query; http only on loopback"),
    ("max_concurrent_calls = 4", "max_concurrent_calls = 0", "targets[0].max_concurrent_calls: wanted: a whole number from 1 to 64"),
    ("max_concurrent_calls = 4", "calls_per_second = 1001", "targets[0].calls_per_second: wanted: a whole number from 0 to 1000"),
    ("max_concurrent_calls = 4", "rest_after_faults = 0", "targets[0].rest_after_faults: wanted: a whole number from 1 to 1000"),
    ("max_concurrent_calls = 4", "longest_rest = \"1s\"", "targets[0].longest_rest: wanted: a span such as \"7d\", \"72h\", \"30m\" or \"10s\", from 5 to 3600 seconds"),
    ("max_concurrent_calls = 4", "longest_server_delay = \"2d\"", "targets[0].longest_server_delay: wanted: a span such as \"7d\", \"72h\", \"30m\" or \"10s\", from 30 to 86400 seconds"),
    ("disable_with = \"put\"", "disable_with = \"delete\"", "targets[0].disable_with: wanted: \"auto\", \"call\" or \"put\""),
    ("disable_with = \"put\"", "disable_with = false", "targets[0].disable_with: wanted: \"auto\", \"call\" or \"put\""),
    ("privileged_groups = []", "proxy = \"http://u:p@p:1\"", "targets[0].proxy: wanted: http://HOST:PORT without name, password and path; a password stands in proxy_password"),
    ("privileged_groups = []", "proxy_username = \"cs\"\nproxy_password = \"x\"", "targets[0].proxy: missing; wanted: http://HOST:PORT without name, password and path; a password stands in proxy_password, because proxy_username is given"),
    ("privileged_groups = []", "proxy = \"http://p:1\"\nproxy_username = \"cs\"", "targets[0].proxy_password: missing; wanted: a string, { env = \"NAME\" }, { file = \"PATH\" } or { command = [\"program\", \"argument\"] }"),
    ("privileged_groups = []", "proxy = \"http://p:1\"\nproxy_password = \"x\"", "targets[0].proxy_username: missing; wanted: a name, because proxy_password is given"),
    ("https://acme.privilegecloud.cyberark.cloud/PasswordVault/API/\"", "http://127.0.0.1:1/API\"\nproxy = \"http://p:1\"", "targets[0].proxy: wanted: a proxy on this machine, or https in every address of the target"),
    ("\"svc-*\"", "\"svc-?\"", "targets[0].protected_users[1]: wanted: a user name of A-Z a-z 0-9 . _ @ + -, in which * stands for any characters"),
    ("keeps_description = false", "keeps_description = \"no\"", "targets[0].keeps_description: wanted: true or false"),
    ("\"bo@example.com\"]", "\"bo@example.com\", \"Ana+1@example.com\"]", "approver_groups[0].members: stands here twice; wanted: a value of its own"),
    ("target = \"vault\"", "target = \"vaults\"", "profiles[0].target: wanted: the name of one of the targets"),
    ("user_type = \"EPVUser\"", "user_type = \"ExtUser\"", "profiles[0].user_type: wanted: one of the target's allowed_user_types"),
    ("\"\\\\Users\\\\Ops\"", "\"\\\\Other\"", "profiles[0].location: wanted: a path at or under the target's location_root"),
    ("groups = [\"ops-readers\"]", "groups = [\"Vault Admins\"]", "profiles[0].groups: wanted: only groups of the target's grantable_groups"),
    ("hand_over_to = \"manager\"", "hand_over_to = \"boss\"", "profiles[0].hand_over_to: wanted: \"subject\", \"manager\", \"none\" or a mail address"),
    ("kinds = [\"joiner\"]", "kinds = [\"join\"]", "rules[0].kinds[0]: wanted: a kind: joiner, mover, leaver, rehire, reset_password or unsuspend"),
    ("kinds = [\"joiner\"]", "approval = \"some\"", "rules[0].approval: wanted: \"none\", or nothing where people are asked"),
    ("[[rules]]", "[[rules]]\nname = \"at once\"\nkinds = [\"leaver\", \"joiner\"]\napproval = \"none\"\n[[rules]]", "rules[0].approval: wanted: kinds = [\"leaver\"] beside \"none\", for nothing else goes without people"),
    ("[[rules]]", "[[rules]]\nname = \"at once\"\nkinds = [\"leaver\"]\napproval = \"none\"\nexpire_after = \"1d\"\n[[rules]]", "rules[0].expire_after: wanted: nothing beside approval = \"none\", for nobody is asked"),
    ("default = true\nstages = [{ ask = [\"group:pam-admins\"], quorum = 2 }]", "default = true\napproval = \"none\"", "rules[1].approval: wanted: people to ask, for the default rule is taken when something fails"),
    ("quorum = 3", "quorum = 4", "rules[0].stages[1].quorum: wanted: at most as many as are asked"),
    ("{ ask = [\"manager\"], quorum = 1 }", "{ all = [] }", "rules[0].stages[0].all: missing or empty; wanted: a list such as [{ ask = [\"manager\"], quorum = 1 }]"),
    ("[\"manager\"]", "[\"group:nobody\"]", "rules[0].stages[0].ask[0]: wanted: a mail address, \"group:NAME\" of one of the approver_groups, or \"manager\""),
    ("{ ask = [\"manager\"], quorum = 1 }", "{ all = [{ ask = [\"ana@example.com\"], quorum = 1 }, { ask = [\"Ana+2@example.com\"], quorum = 1 }] }", "rules[0].stages[0].all: wanted: enough people for every pool at once; nobody counts for two"),
    ("{ ask = [\"manager\"], quorum = 1 }", "{ all = [{ ask = [\"manager\"], quorum = 1 }], quorum = 1 }", "rules[0].stages[0].quorum: wanted: nothing beside all, which lists pools of its own"),
    ("expire_after = \"72h\"", "reminders = 3", "rules[0].reminders: wanted: only together with remind_after"),
    ("expire_after = \"72h\"", "start_within = \"1m\"", "rules[0].start_within: wanted: a span such as \"7d\", \"72h\", \"30m\" or \"10s\", from 3600 to 31536000 seconds"),
    ("default = true", "", "rules: wanted: exactly one rule with default = true"),
    ("\"72h\"", "\"72 hours\"", "rules[0].expire_after: wanted: a span such as \"7d\", \"72h\", \"30m\" or \"10s\", from 60 to 31536000 seconds"),
    ("default = true\nstages = [{ ask = [\"group:pam-admins\"]", "default = true\nstages = [{ ask = [\"manager\", \"group:pam-admins\"]", "rules[1].stages: wanted: people who are always known; the default rule cannot ask a manager"),
];

#[test]
fn one_bad_edit_is_one_fault_at_its_key() {
    for (from, to, said) in EDITS {
        assert_eq!(faults(&with(from, to)), [format!("c.toml: {said}")], "{from} -> {to}");
    }
}

/// One edit of the verifier of HR each, and the one line that is said.
#[rustfmt::skip]
const VERIFIERS: [(&str, &str); 14] = [
    ("kind = \"hmac\", secrets = [\"a-key-of-some-length\"]", "header: missing; wanted: the name of a header, 1 to 64 letters, digits and hyphens"),
    ("kind = \"hmac\", header = \"X Sig\", secrets = [\"a-key-of-some-length\"]", "header: wanted: the name of a header, 1 to 64 letters, digits and hyphens"),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = []", "secrets: missing or empty; wanted: a list of at least one secret"),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = [\"short\"]", "secrets[0]: wanted: 16 to 512 ASCII characters without spaces"),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = [\"a-key-of-some-length\"], algorithm = \"md5\"", "algorithm: wanted: \"sha256\" or \"sha512\""),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = [\"a-key-of-some-length\"], encoding = \"HEX\"", "encoding: wanted: \"hex\", \"base64\" or \"base64url\""),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = [\"a-key-of-some-length\"], signed = [\"header:X-Time\"]", "signed: wanted: \"body\" exactly once, for nothing else proves what was sent"),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = [\"a-key-of-some-length\"], signed = [\"body\", \"query\"]", "signed[1]: wanted: \"method\", \"body\", \"header:NAME\" or \"text:CHARACTERS\""),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = [\"a-key-of-some-length\"], signed = [\"header:X-Id\", \"header:X-Time\", \"body\"]", "signed: wanted: something between two headers, or characters could move from one to the other"),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = [\"a-key-of-some-length\"], delivery_key = \"X-Id\"", "delivery_key: wanted: a header that stands in signed; anybody could change another one"),
    ("kind = \"hmac\", header = \"X-Sig\", secrets = [\"a-key-of-some-length\"], window = \"5m\"", "window: wanted: only together with timestamp_header"),
    ("kind = \"token\", header = \"X-Token\", secrets = [\"short\"]", "secrets[0]: wanted: 24 to 512 ASCII characters without spaces"),
    ("kind = \"token\", header = \"X-Token\", secrets = [\"a-secret-of-more-length-still\"], delivery_key = \"X-Id\"", "delivery_key: unknown key; known here: header, kind, prefix, secrets"),
    ("kind = \"basic\", username = \"a:b\", passwords = [\"a-secret-of-more-length-still\"]", "username: wanted: 1 to 128 visible ASCII characters without a colon"),
];

#[test]
fn a_verifier_leaves_no_second_reading() {
    let usual = "kind = \"standard-webhooks\", secrets = [{ env = \"HR_WEBHOOK\" }]";
    for (verify, said) in VERIFIERS {
        assert_eq!(faults(&with(usual, verify)), [format!("c.toml: sources[0].verify.{said}")], "{verify}");
    }
    let all = "kind = \"hmac\", header = \"X-Sig\", prefix = \"v1=\", algorithm = \"sha512\", encoding = \"base64url\", \
               signed = [\"method\", \"header:X-Id\", \"text:.\", \"header:X-Time\", \"text:.\", \"body\"], \
               timestamp_header = \"x-time\", window = \"2m\", delivery_key = \"x-id\", secrets = [\"a-key-of-some-length\"]";
    let Verify::Hmac(recipe) = load(&with(usual, all)).unwrap().sources[0].verify.clone() else { panic!() };
    assert_eq!((recipe.signed.len(), recipe.time.unwrap().window.num_seconds()), (6, 120));
}

#[test]
fn off_loopback_a_link_alone_must_be_accepted_in_so_many_words() {
    let away = ("\"http://127.0.0.1:8081\"", "\"https://cs.example.com\"");
    for sign_in in
        ["mode = \"code\"", "accept_forwarded_links = true", "mode = \"link\"\naccept_forwarded_links = true"]
    {
        let text = with(away.0, away.1).replacen("mode = \"link\"", sign_in, 1);
        assert!(load(&text).is_ok(), "{sign_in}");
    }
}

#[test]
fn a_manager_is_only_asked_when_some_source_may_name_one() {
    assert_eq!(
        faults(&with("may_set = [\"employment.manager.email\"]", "")),
        [
            "c.toml: profiles[0].hand_over_to: \"manager\" needs a source whose may_set has \"employment.manager.email\"",
            "c.toml: rules[0].stages[0].ask: \"manager\" needs a source whose may_set has \"employment.manager.email\"",
        ]
    );
}

#[test]
fn all_faults_come_at_once() {
    let text = GOOD
        .replacen("trusted_proxies = []", "trusted_proxies = [\"proxy\"]", 1)
        .replacen("Europe/Berlin", "Europe/Bonn", 1)
        .replacen("client_id = ", "clientid = ", 1)
        .replacen("quorum = 2", "quorum = 0", 1);
    let keys: Vec<String> = load(&text).unwrap_err().into_iter().map(|fault| fault.key).collect();
    assert_eq!(
        keys,
        [
            "http.trusted_proxies[0]",
            "sources[0].timezone",
            "targets[0].client_id",
            "targets[0].clientid",
            "rules[1].stages[0].quorum"
        ]
    );
}

#[test]
fn an_empty_file_is_told_what_is_missing() {
    let keys: Vec<String> = load("").unwrap_err().into_iter().map(|fault| fault.key).collect();
    for key in
        ["http.public_url", "database.url", "mail.from", "operators.mail", "sources", "targets", "rules"]
    {
        assert!(keys.iter().any(|one| one == key), "{key}");
    }
}

#[test]
fn a_faulty_value_is_never_repeated() {
    let text = GOOD.replace("= \"", "= \"\\u0007PLANTED ");
    let said = faults(&text).join("\n");
    assert!(said.lines().count() > 20 && !said.contains("PLANTED"), "{said}");
    let broken = faults("[mail]\npassword = \"PLANTED\n");
    assert_eq!(broken, ["c.toml: line 2 is not TOML, or names a key for the second time"]);
}
