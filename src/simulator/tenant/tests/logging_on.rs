//! The self-hosted vault: log-on, sessions, suspension, log-off.

use super::*;

struct Door {
    tenant: Tenant,
}

/// What a client keeps of a log-on.
struct Kept {
    token: String,
    cookie: String,
}

impl Door {
    fn new() -> Self {
        let mut options = TenantOptions::new("svc", SecretString::from("Right-1"));
        options.product = Product::SelfHosted;
        Self { tenant: Tenant::new(options) }
    }

    fn post(&mut self, seconds: i64, path: &str, body: &Value) -> Answer {
        let path = format!("/PasswordVault/API/{path}");
        let call =
            Call { method: "POST".to_owned(), path, body: body.to_string().into_bytes(), ..Call::default() };
        self.tenant.answer(at(seconds), &call)
    }

    fn log_on(&mut self, seconds: i64, kind: SessionKind) -> Kept {
        let concurrent = kind == SessionKind::Concurrent;
        let body = json!({ "username": "SVC", "password": "Right-1", "concurrentSession": concurrent });
        let answer = self.post(seconds, "auth/cyberark/logon/", &body);
        let Body::Json(Value::String(token)) = answer.body else { panic!("no token: {:?}", answer.body) };
        let cookie = answer.cookie.unwrap().split(';').next().unwrap().to_owned();
        Kept { token, cookie }
    }

    fn refused(&mut self, password: &str) -> (u16, String) {
        let answer = self.post(0, "Auth/CyberArk/Logon", &json!({ "username": "svc", "password": password }));
        let Body::Json(body) = answer.body else { panic!("no words") };
        (answer.status, body["ErrorCode"].as_str().unwrap_or_default().to_owned())
    }

    fn status(&mut self, seconds: i64, method: &str, path: &str, kept: &Kept) -> u16 {
        let call = Call {
            method: method.to_owned(),
            path: format!("/PasswordVault/API/{path}"),
            authorization: Some(kept.token.clone()),
            cookies: Some(format!("other=1; {}", kept.cookie)),
            ..Call::default()
        };
        self.tenant.answer(at(seconds), &call).status
    }

    fn get(&mut self, seconds: i64, kept: &Kept) -> u16 {
        self.status(seconds, "GET", "Users", kept)
    }
}

#[test]
fn a_session_lives_while_it_is_used_and_ends_with_the_log_off() {
    let mut door = Door::new();
    let kept = door.log_on(0, SessionKind::Single);
    for seconds in [0, 1199, 2398] {
        assert_eq!(door.get(seconds, &kept), 200, "{seconds}");
    }
    assert_eq!(door.get(2398 + 1200, &kept), 401);
    let kept = door.log_on(4000, SessionKind::Single);
    assert_eq!(door.tenant.open_sessions(at(4000)), 1);
    assert_eq!(door.status(4000, "POST", "auth/Logoff", &kept), 200);
    assert_eq!((door.get(4000, &kept), door.tenant.open_sessions(at(4000))), (401, 0));
    assert!(door.tenant.journal().is_empty());
}

#[test]
fn a_token_is_raw_and_good_only_on_the_web_server_that_gave_it_out() {
    let mut door = Door::new();
    let kept = door.log_on(0, SessionKind::Single);
    let bearer = Kept { token: format!("Bearer {}", kept.token), cookie: kept.cookie.clone() };
    let elsewhere = Kept { token: kept.token.clone(), cookie: "node=other".to_owned() };
    assert_eq!((door.get(0, &bearer), door.get(0, &elsewhere), door.get(0, &kept)), (401, 401, 200));
    let body = b"grant_type=client_credentials&client_id=svc&client_secret=Right-1".to_vec();
    let path = "/oauth2/platformtoken".to_owned();
    let call = Call { method: "POST".to_owned(), path, body, ..Call::default() };
    assert_eq!(door.tenant.answer(at(0), &call).status, 404);
}

#[test]
fn sessions_stand_beside_each_other_only_if_both_want_it() {
    use SessionKind::{Concurrent, Single};
    for (first, second, stays) in [
        (Concurrent, Concurrent, 200),
        (Concurrent, Single, 401),
        (Single, Concurrent, 401),
        (Single, Single, 401),
    ] {
        let mut door = Door::new();
        let kept = door.log_on(0, first);
        let other = door.log_on(0, second);
        assert_eq!((door.get(0, &kept), door.get(0, &other)), (stays, 200), "{first:?} {second:?}");
        door.tenant.log_on_elsewhere(at(0), Single).unwrap();
        assert_eq!(door.get(0, &other), 401);
    }
}

#[test]
fn wrong_passwords_are_counted_and_suspend() {
    let mut door = Door::new();
    for _ in 0..4 {
        assert_eq!(door.refused("Wrong-1"), (403, "ITATS004E".to_owned()));
    }
    door.log_on(0, SessionKind::Single);
    for _ in 0..5 {
        assert_eq!(door.refused("Wrong-1"), (403, "ITATS004E".to_owned()));
    }
    assert_eq!(door.refused("Right-1"), (403, "ITATS002E".to_owned()));
    let id = door.tenant.id_of("svc").unwrap();
    door.tenant.patch_user(id, &json!({ "suspended": false, "enableUser": false })).unwrap();
    assert_eq!(door.refused("Right-1"), (403, "ITATS005E".to_owned()));
    door.tenant.patch_user(id, &json!({ "enableUser": true })).unwrap();
    door.tenant.set_service_password(SecretString::from("Right-2"));
    assert_eq!(door.refused("Right-1"), (403, "ITATS004E".to_owned()));
    door.tenant.options_mut().challenge = Challenge::Asked;
    assert_eq!(door.refused("Right-2"), (500, "ITATS542I".to_owned()));
}

#[test]
fn nobody_but_the_service_user_manages_users() {
    let mut door = Door::new();
    door.tenant.add_user(&json!({ "username": "anna", "initialPassword": "Abcdef-12345" })).unwrap();
    let body = json!({ "username": "anna", "password": "Abcdef-12345" });
    let answer = door.post(0, "auth/LDAP/Logon", &body);
    let Body::Json(Value::String(token)) = answer.body else { panic!("no token") };
    let cookie = answer.cookie.unwrap().split(';').next().unwrap().to_owned();
    assert_eq!(door.get(0, &Kept { token, cookie }), 403);
}
