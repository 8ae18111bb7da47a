//! What movers and leavers need of the tenant: members removed, users disabled, safes told, an outside hand.

use super::*;

fn members(client: &mut Client, group: &Value, user: &str) -> (i64, String) {
    let id = client.tenant.add_group(group).unwrap();
    let user = client.tenant.id_of(user).unwrap();
    client.tenant.put_member(id, user).unwrap();
    (user, format!("/UserGroups/{id}/Members"))
}

fn refused(client: &mut Client, method: &str, target: &str) -> (u16, String) {
    let (status, body) = client.send(method, target, &Value::Null);
    (status, body["ErrorCode"].as_str().unwrap_or_default().to_owned())
}

#[test]
fn the_product_removes_members_by_name_and_says_what_is_missing() {
    let mut client = Client::of(Dialect::Product);
    client.hire("zoe@corp.example");
    client.hire("bert");
    let (id, ops) = members(&mut client, &json!({ "groupName": "Ops" }), "zoe@corp.example");
    let code = |status: u16, code: &str| (status, code.to_owned());
    assert_eq!(refused(&mut client, "DELETE", "/UserGroups/77/Members/bert/"), code(404, "PASWS199E"));
    assert_eq!(refused(&mut client, "DELETE", &format!("{ops}/nobody/")), code(404, "ITATS003E"));
    assert_eq!(refused(&mut client, "DELETE", &format!("{ops}/bert/")), code(404, "CAWS00003E"));
    // The number is read as a name, and nobody has it.
    assert_eq!(refused(&mut client, "DELETE", &format!("{ops}/{id}/")), code(404, "ITATS003E"));
    assert_eq!(client.send("DELETE", &format!("{ops}/zoe%40corp.example"), &Value::Null).0, 404);
    assert_eq!(client.send("DELETE", &format!("{ops}/zoe%40corp.example/"), &Value::Null).0, 204);
    assert_eq!(client.deeds(), ["create_user", "create_user", "remove_member"]);
}

#[test]
fn a_number_removes_whoever_is_named_like_it() {
    let mut client = Client::of(Dialect::Product);
    let meant = client.hire("anna");
    let other = client.hire(&meant.to_string());
    let (_, ops) = members(&mut client, &json!({ "groupName": "Ops" }), &meant.to_string());
    assert_eq!(client.send("DELETE", &format!("{ops}/{meant}/"), &Value::Null).0, 204);
    assert_eq!(client.tenant.journal().last().unwrap().user_id, Some(other));
}

#[test]
fn the_guide_removes_members_by_id_alone() {
    let mut client = Client::of(Dialect::Guide);
    client.hire("anna");
    let (id, ops) = members(&mut client, &json!({ "groupName": "Ops" }), "anna");
    assert_eq!(client.send("DELETE", &format!("{ops}/anna"), &Value::Null).0, 400);
    assert_eq!(client.send("DELETE", &format!("{ops}/{id}"), &Value::Null).0, 204);
    assert_eq!(refused(&mut client, "DELETE", &format!("{ops}/{id}")), (404, "CAWS00003E".to_owned()));
}

#[test]
fn some_signs_pass_in_no_path_and_directory_groups_keep_their_members() {
    let mut client = Client::of(Dialect::Product);
    client.tenant.add_user(&json!({ "username": "zoe+ops" })).unwrap();
    let (_, ops) = members(&mut client, &json!({ "groupName": "Ops" }), "zoe+ops");
    for name in ["zoe+ops", "zoe%2Bops", "a%26b", "a%25b"] {
        let (status, body) = client.send("DELETE", &format!("{ops}/{name}/"), &Value::Null);
        assert_eq!((status, body.is_string()), (400, true), "{name}");
    }
    client.hire("bert");
    let (_, directory) =
        members(&mut client, &json!({ "groupName": "AD", "groupType": "Directory" }), "bert");
    let (status, body) = client.send("DELETE", &format!("{directory}/bert/"), &Value::Null);
    let detail = body["Details"][0]["ErrorMessage"].as_str().unwrap();
    assert!(status == 400 && detail.starts_with("Can not add a member to directory group ["), "{body}");
}

#[test]
fn a_safe_is_entered_by_itself_or_through_a_group() {
    let mut client = Client::with(|options| options.page_size = 2);
    let id = client.hire("anna");
    members(&mut client, &json!({ "groupName": "Ops" }), "anna");
    for (name, member) in [("Own", "Anna"), ("Through", "ops"), ("Other", "Auditors"), ("Also-Own", "anna")] {
        client.tenant.add_safe(&json!({ "safeName": name, "members": [member] })).unwrap();
    }
    let target = format!("/Users/{id}/Safes/");
    let names = |answer: &(u16, Value)| {
        let safes = answer.1["Safes"].as_array().unwrap();
        safes.iter().map(|safe| safe["safeName"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(names(&client.get(&target)), ["Own", "Through"]);
    assert_eq!(names(&client.get(&format!("{target}?offset=2&limit=100"))), ["Also-Own"]);
    client.tenant.put_out_of_safe("own", "anna").unwrap();
    client.tenant.let_into_safe("Other", "anna").unwrap();
    assert_eq!(names(&client.get(&format!("{target}?limit=9"))), ["Through", "Other", "Also-Own"]);
    assert_eq!(client.tenant.state()["safes"][2]["members"], json!(["Auditors", "anna"]));
    let bert = client.hire("bert");
    client.tenant.let_into_safe("Own", "bert").unwrap();
    client.tenant.remove_user(bert).unwrap();
    assert_eq!(client.tenant.state()["safes"][0]["members"], json!([]));
    assert!(client.tenant.let_into_safe("Gone", "anna").is_err());
    assert!(client.tenant.let_into_safe("Own", "nobody").is_err());
    assert!(client.tenant.add_safe(&json!({ "safeName": "OWN" })).is_err());
    assert_eq!(refused(&mut client, "GET", "/Users/77/safes"), (404, "ITATS003E".to_owned()));
    assert_eq!(client.send("POST", &target, &Value::Null).0, 405);
    client.tenant.options_mut().safe_list = SafeList::Forbidden;
    assert_eq!(refused(&mut client, "GET", &target), (403, "PASWS041E".to_owned()));
    client.tenant.options_mut().safe_list = SafeList::Unknown;
    assert_eq!(refused(&mut client, "GET", &target), (404, String::new()));
}

#[test]
fn disable_is_not_offered_by_every_version_and_never_to_a_directory_or_the_product_itself() {
    let mut client = Client::of(Dialect::Product);
    let id = client.hire("anna");
    client.tenant.patch_user(id, &json!({ "vaultAuthorization": ["AuditUsers"] })).unwrap();
    let disable = |id: i64| format!("/Users/{id}/disable/");
    for (offered, status) in [(DisableCall::Unknown, 404), (DisableCall::NotAllowed, 405)] {
        client.tenant.options_mut().disable_call = offered;
        for call in ["disable", "enable"] {
            assert_eq!(client.send("POST", &format!("/Users/{id}/{call}/"), &Value::Null).0, status);
        }
    }
    client.tenant.options_mut().disable_call = DisableCall::Offered;
    assert_eq!(client.send("POST", &disable(id), &Value::Null).0, 200);
    let (_, user) = client.get(&format!("/Users/{id}"));
    assert_eq!((&user["enableUser"], &user["vaultAuthorization"]), (&json!(false), &json!(["AuditUsers"])));
    assert_eq!(client.send("POST", &format!("/Users/{id}/enable/"), &Value::Null).0, 200);
    client.tenant.patch_user(id, &json!({ "source": "LDAP", "userDN": "CN=anna" })).unwrap();
    assert_eq!(client.get(&format!("/Users/{id}")).1["userDN"], "CN=anna");
    assert_eq!(refused(&mut client, "POST", &disable(id)), (500, "ITATS692E".to_owned()));
    assert_eq!(refused(&mut client, "POST", &disable(12)), (403, "PASWS041E".to_owned()));
    assert_eq!(refused(&mut client, "POST", &disable(77)), (404, "ITATS003E".to_owned()));
    assert_eq!(client.deeds(), ["create_user", "disable_user", "enable_user"]);
    let mut guide = Client::of(Dialect::Guide);
    let id = guide.hire("anna");
    assert_eq!(guide.send("POST", &disable(id), &Value::Null).0, 404);
    assert_eq!(guide.get(&format!("/Users/{id}")).1["enableUser"], true);
}

#[test]
fn an_outside_hand_changes_whatever_it_likes() {
    let mut client = Client::of(Dialect::Product);
    let id = client.hire("anna");
    let (_, ops) = members(&mut client, &json!({ "groupName": "Ops", "description": "d" }), "anna");
    let changes = json!({
        "phones": { "businessNumber": "1" }, "lastSuccessfulLoginDate": 5, "componentUser": true
    });
    client.tenant.patch_user(id, &changes).unwrap();
    let (_, user) = client.get(&format!("/Users/{id}"));
    assert_eq!((&user["phones"]["businessNumber"], &user["phones"]["faxNumber"]), (&json!("1"), &json!("")));
    assert_eq!((&user["lastSuccessfulLoginDate"], &user["componentUser"]), (&json!(5), &json!(true)));
    let number = ops.split('/').nth(2).unwrap().parse().unwrap();
    let anew = client.tenant.recreate_group(number).unwrap();
    assert_ne!(anew, number);
    let (_, groups) = client.get("/UserGroups?search=ops&includeMembers=true");
    let wanted = json!([{ "id": anew, "groupType": "Vault", "groupName": "Ops", "description": "d", "location": "\\" }]);
    assert_eq!(groups["value"], wanted);
    assert!(client.tenant.recreate_group(number).is_err());
    assert_eq!(client.deeds(), ["create_user"]);
}
