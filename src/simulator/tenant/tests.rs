//! The model in both dialects, spoken to through `answer` as the wire would.

mod leaving;
mod logging_on;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000 + seconds, 0).unwrap()
}

struct Client {
    tenant: Tenant,
    token: String,
}

impl Client {
    fn of(dialect: Dialect) -> Self {
        Self::with(|options| options.dialect = dialect)
    }

    fn with(change: impl FnOnce(&mut TenantOptions)) -> Self {
        let mut options = TenantOptions::new("svc@corp", SecretString::from("s&cret"));
        change(&mut options);
        let mut tenant = Tenant::new(options);
        let body = b"grant_type=client_credentials&client_id=svc%40corp&client_secret=s%26cret".to_vec();
        let call = Call {
            method: "POST".to_owned(),
            path: "/OAuth2/PlatformToken".to_owned(),
            body,
            ..Call::default()
        };
        let Body::Json(answer) = tenant.answer(at(0), &call).body else { panic!("no token") };
        let token = answer["access_token"].as_str().unwrap().to_owned();
        Self { tenant, token }
    }

    fn at(&mut self, now: DateTime<Utc>, method: &str, target: &str, body: &Value) -> (u16, Value) {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let call = Call {
            method: method.to_owned(),
            path: format!("/PasswordVault/API{path}"),
            query: query.to_owned(),
            authorization: Some(format!("Bearer {}", self.token)),
            cookies: None,
            body: if body.is_null() { Vec::new() } else { body.to_string().into_bytes() },
        };
        let answer = self.tenant.answer(now, &call);
        let body = match answer.body {
            Body::Json(body) => body,
            Body::Html(text) => json!(text),
            Body::Empty => Value::Null,
        };
        (answer.status, body)
    }

    fn send(&mut self, method: &str, target: &str, body: &Value) -> (u16, Value) {
        self.at(at(1), method, target, body)
    }

    fn get(&mut self, target: &str) -> (u16, Value) {
        self.send("GET", target, &Value::Null)
    }

    fn hire(&mut self, name: &str) -> i64 {
        let body = json!({ "username": name, "userType": "EPVUser", "initialPassword": "Abcdef-12345" });
        let (status, user) = self.send("POST", "/Users", &body);
        assert_eq!(status, 201, "{user}");
        user["id"].as_i64().unwrap()
    }

    fn deeds(&self) -> Vec<&'static str> {
        self.tenant.journal().iter().map(|entry| entry.what).collect()
    }
}

#[test]
fn the_product_keeps_nested_and_drops_flat() {
    let mut client = Client::of(Dialect::Product);
    let body = json!({
        "UserName": "zobrien", "userType": "EPVUser", "initialPassword": "Abcdef-12345", "firstName": "Zoe",
        "email": "flat@example.com", "internet": { "businessEmail": "zoe@example.com" },
        "personalDetails": { "lastName": "O'Brien" }, "enableUser": "True"
    });
    let (status, user) = client.send("POST", "/users/", &body);
    assert_eq!(status, 201);
    assert_eq!(user["internet"]["businessEmail"], "zoe@example.com");
    assert_eq!(user["personalDetails"]["lastName"], "O'Brien");
    assert_eq!(user["personalDetails"]["firstName"], "");
    assert!(user.get("email").is_none() && user.get("initialPassword").is_none());
    assert_eq!(user["changePassOnNextLogon"], true);
    assert!(user["expiryDate"].as_i64().unwrap() < 0);
    assert!(client.tenant.password_is(user["id"].as_i64().unwrap(), "Abcdef-12345"));
}

#[test]
fn the_guide_keeps_flat_and_asks_for_no_new_password() {
    let mut client = Client::of(Dialect::Guide);
    let body = json!({
        "username": "zobrien", "userType": "EPVUser", "initialPassword": "Abcdef-12345", "firstName": "Zoe",
        "email": "zoe@example.com", "personalDetails": { "lastName": "dropped" }, "description": "a mark"
    });
    let (_, user) = client.send("POST", "/Users", &body);
    let (_, read) = client.get(&format!("/Users/{}", user["id"]));
    assert_eq!((&read["firstName"], &read["email"]), (&json!("Zoe"), &json!("zoe@example.com")));
    assert_eq!((&read["lastName"], &read["description"]), (&json!(""), &json!("a mark")));
    assert_eq!(read["changePassOnNextLogon"], false);
    assert!(read.get("personalDetails").is_none());
}

#[test]
fn put_resets_what_is_left_out() {
    let mut client = Client::of(Dialect::Product);
    let id = client.hire("anna");
    let target = format!("/Users/{id}");
    let full = json!({
        "username": "anna", "description": "d", "location": "\\Users", "changePassOnNextLogon": false,
        "internet": { "businessEmail": "a@example.com", "homePage": "h" }, "id": 5, "source": "LDAP"
    });
    assert_eq!(client.send("PUT", &target, &full).1["location"], "\\Users");
    let short = json!({ "username": "anna", "enableUser": false, "internet": { "homePage": "new" } });
    let (status, user) = client.send("PUT", &target, &short);
    assert_eq!((status, user["id"].as_i64(), &user["source"]), (200, Some(id), &json!("CyberArk")));
    assert_eq!(
        user["internet"],
        json!({ "homePage": "new", "homeEmail": "", "businessEmail": "", "otherEmail": "" })
    );
    assert_eq!((&user["location"], &user["description"]), (&json!("\\"), &json!("")));
    assert_eq!((&user["changePassOnNextLogon"], &user["enableUser"]), (&json!(true), &json!(false)));
    assert_eq!(client.send("PUT", &target, &json!({ "enableUser": false })).0, 400);
    assert_eq!(client.deeds(), ["create_user", "update_user", "update_user"]);
}

#[test]
fn names_are_unique_without_regard_to_case() {
    let mut client = Client::of(Dialect::Product);
    client.hire("Anna");
    for taken in ["aNNA", "master", "Administrator"] {
        let body = json!({ "username": taken, "initialPassword": "Abcdef-12345" });
        assert_eq!(client.send("POST", "/Users", &body).0, 409, "{taken}");
    }
    assert_eq!(client.deeds(), ["create_user"]);
}

#[test]
fn passwords_types_and_lengths_are_checked() {
    let mut client = Client::of(Dialect::Product);
    let long = format!("Aa1-{}", "x".repeat(36));
    for (key, value) in [
        ("initialPassword", json!("weak")),
        ("initialPassword", json!(long)),
        ("initialPassword", Value::Null),
        ("userType", json!("AIMAccount")),
        ("personalDetails", json!({ "firstName": "x".repeat(30) })),
        ("enableUser", json!("perhaps")),
        ("username", json!("")),
    ] {
        let mut body = json!({ "username": "anna", "initialPassword": "Abcdef-12345" });
        body[key] = value;
        assert_eq!(client.send("POST", "/Users", &body).0, 400, "{key}");
    }
    assert!(client.deeds().is_empty());
    let id = client.hire("anna");
    let target = format!("/Users/{id}/ResetPassword");
    let reset = |client: &mut Client, id: Value, password: &str| {
        let (status, body) = client.send("POST", &target, &json!({ "id": id, "newPassword": password }));
        (status, body["ErrorCode"].as_str().unwrap_or_default().to_owned())
    };
    let again = (400, "SIM402E".to_owned());
    client.tenant.options_mut().remembered_passwords = 2;
    assert_eq!(reset(&mut client, json!(id), "Abcdef-12345"), again);
    assert_eq!(reset(&mut client, Value::Null, "Zyxwvu-98765").0, 400);
    assert_eq!(reset(&mut client, json!(id + 1), "Zyxwvu-98765").0, 400);
    assert_eq!(reset(&mut client, json!(id), "weak").0, 400);
    assert_eq!(reset(&mut client, json!(id), "Zyxwvu-98765").0, 200);
    assert!(client.tenant.password_is(id, "Zyxwvu-98765") && !client.tenant.password_is(id, "Abcdef-12345"));
    assert_eq!(reset(&mut client, json!(id), "Abcdef-12345"), again, "the one before is remembered");
    assert_eq!(reset(&mut client, json!(id), "Another-0001").0, 200);
    assert_eq!(reset(&mut client, json!(id), "Abcdef-12345").0, 200, "the one before that is not");
    client.tenant.patch_user(id, &json!({ "enableUser": false })).unwrap();
    client.tenant.options_mut().reset_of_disabled = ResetOfDisabled::Refused;
    assert_eq!(reset(&mut client, json!(id), "Another-0002"), (403, "SIM403E".to_owned()));
    client.tenant.options_mut().reset_of_disabled = ResetOfDisabled::Taken;
    assert_eq!(reset(&mut client, json!(id), "Another-0002").0, 200);
    assert_eq!(client.get(&format!("/Users/{id}")).1["enableUser"], false, "a new password enables nobody");
}

#[test]
fn a_location_must_exist_where_locations_are_known() {
    let mut client = Client::with(|options| options.locations = Some(vec!["\\Users\\Ops".to_owned()]));
    for (location, status) in [("\\Users", 400), ("\\users\\ops", 201)] {
        let body = json!({ "username": "anna", "initialPassword": "Abcdef-12345", "location": location });
        assert_eq!(client.send("POST", "/Users", &body).0, status, "{location}");
    }
}

#[test]
fn a_licence_has_so_many_seats() {
    let seats = |options: &mut TenantOptions| options.user_types[0].seats = Some(1);
    let mut client = Client::with(seats);
    client.hire("anna");
    let body = json!({ "username": "bert", "initialPassword": "Abcdef-12345" });
    assert_eq!(client.send("POST", "/Users", &body).0, 403);
}

#[test]
fn lists_are_cut_into_pages_and_search_contains() {
    let mut client = Client::with(|options| options.page_size = 4);
    for number in 0..6 {
        client.hire(&format!("someone{number}"));
    }
    client.hire("Someone");
    let (_, first) = client.get("/Users?Search=SOMEONE");
    assert_eq!((first["Users"].as_array().unwrap().len(), &first["Total"]), (4, &json!(7)));
    assert!(first["Users"][0].get("enableUser").is_none());
    let (_, rest) = client.get("/Users?search=someone&limit=4&offset=4");
    assert_eq!(rest["Users"].as_array().unwrap().len(), 3);
    let (_, exact) = client.get("/Users?filter=userName%20eq%20someone");
    assert_eq!(exact["Users"].as_array().unwrap().len(), 1);
    let (_, parts) = client.get("/Users?componentUser=true&ExtendedDetails=true");
    assert_eq!(parts["Users"].as_array().unwrap().len(), 2);
    assert_eq!(parts["Users"][0]["enableUser"], true);
    let (_, hidden) = client.get("/Users?search=master");
    assert_eq!(hidden["Users"], json!([]));
}

#[test]
fn groups_are_listed_with_a_link_to_the_next_page() {
    let mut client = Client::with(|options| options.page_size = 2);
    for name in ["Ops-Readers", "Ops-Admins", "Research and Development"] {
        client.tenant.add_group(&json!({ "groupName": name })).unwrap();
    }
    let mut seen = Vec::new();
    let mut link = Some("api/UserGroups?includeMembers=true".to_owned());
    while let Some(target) = link {
        let (_, page) = client.get(target.strip_prefix("api").unwrap());
        seen.extend(page["value"].as_array().unwrap().iter().map(|group| group["groupName"].clone()));
        link = page["nextLink"].as_str().map(str::to_owned);
    }
    assert_eq!(seen.len(), 5);
    let (_, exact) = client.get("/UserGroups?filter=groupName+eq+research+and+development");
    assert_eq!(exact["count"], 1);
    assert!(exact["value"][0].get("members").is_none());
    let (_, admins) = client.get("/UserGroups/10/");
    assert_eq!(admins["members"], json!([{ "id": 2, "username": "Administrator" }]));
}

#[test]
fn the_product_takes_members_by_name() {
    let mut client = Client::of(Dialect::Product);
    let group = client.tenant.add_group(&json!({ "groupName": "Ops" })).unwrap();
    let id = client.hire("anna.k");
    let members = format!("/UserGroups/{group}/Members");
    let guide = json!({ "memberId": id, "memberType": "User" });
    assert_eq!(client.send("POST", &members, &guide).0, 400);
    let number = json!({ "memberId": 42, "memberType": "vault" });
    let (status, refusal) = client.send("POST", &members, &number);
    assert_eq!((status, &refusal["ErrorCode"]), (404, &json!("ITATS003E")));
    let unfit = json!({ "memberId": "anna.k", "memberType": "User" });
    assert_eq!(client.send("POST", &members, &unfit).0, 400);
    let right = json!({ "memberId": "ANNA.K", "memberType": "Vault" });
    assert_eq!(client.send("POST", &members, &right).0, 201);
    let (status, refusal) = client.send("POST", &members, &right);
    assert_eq!((status, &refusal["ErrorCode"]), (409, &json!("PASWS213E")));
    let (_, user) = client.get(&format!("/Users/{id}"));
    assert_eq!(
        user["groupsMembership"],
        json!([{ "groupID": group, "groupName": "Ops", "groupType": "Vault" }])
    );
    assert_eq!(client.send("DELETE", &format!("{members}/anna.k"), &Value::Null).0, 404);
    assert_eq!(client.send("DELETE", &format!("{members}/Anna%2Ek/"), &Value::Null).0, 204);
    assert_eq!(client.send("DELETE", &format!("{members}/anna.k/"), &Value::Null).0, 404);
    assert_eq!(client.deeds(), ["create_user", "add_member", "remove_member"]);
}

#[test]
fn a_user_who_is_named_like_a_number_is_really_added() {
    let mut client = Client::of(Dialect::Product);
    let group = client.tenant.add_group(&json!({ "groupName": "Ops" })).unwrap();
    let wrong = client.hire("42");
    let body = json!({ "memberId": 42, "memberType": "User" });
    assert_eq!(client.send("POST", &format!("/UserGroups/{group}/Members"), &body).0, 201);
    assert_eq!(client.tenant.journal().last().unwrap().user_id, Some(wrong));
}

#[test]
fn the_guide_takes_members_by_id() {
    let mut client = Client::of(Dialect::Guide);
    let group = client.tenant.add_group(&json!({ "groupName": "Ops" })).unwrap();
    let id = client.hire("anna");
    let members = format!("/UserGroups/{group}/Members");
    assert_eq!(client.send("POST", &members, &json!({ "memberId": "anna", "memberType": "vault" })).0, 400);
    assert_eq!(client.send("POST", &members, &json!({ "memberId": id, "memberType": "vault" })).0, 400);
    assert_eq!(
        client.send("POST", &members, &json!({ "memberId": 999_999_999, "memberType": "User" })).0,
        404
    );
    assert_eq!(client.send("POST", &members, &json!({ "memberId": id, "memberType": "User" })).0, 201);
    assert_eq!(client.send("DELETE", &format!("{members}/{id}"), &Value::Null).0, 204);
}

#[test]
fn a_missing_or_directory_group_refuses_members() {
    let mut client = Client::of(Dialect::Product);
    client.hire("anna");
    let body = json!({ "memberId": "anna" });
    let (status, refusal) = client.send("POST", "/UserGroups/77/Members", &body);
    assert_eq!((status, &refusal["ErrorCode"]), (404, &json!("PASWS199E")));
    let group = client.tenant.add_group(&json!({ "groupName": "AD", "groupType": "Directory" })).unwrap();
    assert_eq!(client.send("POST", &format!("/UserGroups/{group}/Members"), &body).0, 400);
}

#[test]
fn tokens_end_and_rights_are_looked_at() {
    let mut client = Client::with(|options| options.token_lifetime_seconds = 60);
    assert_eq!(client.at(at(59), "GET", "/Users", &Value::Null).0, 200);
    let (status, refusal) = client.at(at(60), "GET", "/Users", &Value::Null);
    assert_eq!((status, &refusal["ErrorCode"]), (401, &json!("PASWS006E")));
    client.tenant.revoke_tokens();
    assert_eq!(client.at(at(1), "GET", "/Users", &Value::Null).0, 401);
    let mut client = Client::with(|options| options.rights = Rights::Audit);
    let (status, refusal) = client.send("POST", "/Users", &json!({ "username": "x" }));
    assert_eq!((status, &refusal["ErrorCode"]), (403, &json!("PASWS041E")));
    assert_eq!(client.get("/Users").0, 200);
}

#[test]
fn disable_activate_and_delete() {
    let mut client = Client::of(Dialect::Product);
    let id = client.hire("anna");
    client.tenant.patch_user(id, &json!({ "suspended": true, "internet": { "homePage": "h" } })).unwrap();
    assert_eq!(client.send("POST", &format!("/Users/{id}/disable/"), &Value::Null).0, 200);
    assert_eq!(client.send("POST", &format!("/Users/{id}/Activate"), &Value::Null).0, 200);
    let (_, user) = client.get(&format!("/Users/{id}"));
    assert_eq!((&user["enableUser"], &user["suspended"]), (&json!(false), &json!(false)));
    assert_eq!(user["internet"]["homePage"], "h");
    assert_eq!(client.send("PATCH", &format!("/Users/{id}"), &Value::Null).0, 405);
    assert_eq!(client.send("DELETE", "/Users/2", &Value::Null).0, 403);
    assert_eq!(client.send("DELETE", &format!("/Users/{id}"), &Value::Null).0, 204);
    let (status, refusal) = client.get(&format!("/Users/{id}"));
    assert_eq!((status, &refusal["ErrorCode"]), (404, &json!("ITATS003E")));
    assert_eq!(client.deeds(), ["create_user", "disable_user", "activate_user", "delete_user"]);
    client.tenant.options_mut().disable_call = DisableCall::Unknown;
    assert_eq!(client.send("POST", "/Users/2/disable/", &Value::Null).0, 404);
}

#[test]
fn a_directory_masters_its_users() {
    let mut client = Client::of(Dialect::Product);
    let id = client
        .tenant
        .add_user(&json!({ "username": "ldapper", "source": "LDAP", "userDN": "CN=l" }))
        .unwrap();
    let (status, refusal) = client.send("PUT", &format!("/Users/{id}"), &json!({ "username": "ldapper" }));
    assert_eq!((status, &refusal["ErrorCode"]), (500, &json!("ITATS692E")));
    assert!(client.deeds().is_empty());
}

#[test]
fn a_tenant_may_drop_descriptions() {
    let mut client = Client::with(|options| options.descriptions = Descriptions::Dropped);
    let body = json!({ "username": "anna", "initialPassword": "Abcdef-12345", "description": "a mark" });
    assert_eq!(client.send("POST", "/Users", &body).1["description"], "");
}

#[test]
fn the_same_seed_gives_the_same_ids() {
    let hired = |seed: u64| Client::with(|options| options.seed = seed).hire("anna");
    assert_eq!(hired(7), hired(7));
    assert_ne!(hired(7), hired(8));
}
