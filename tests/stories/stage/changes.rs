//! Somebody whom the vault knows already, and what HR says of them: they move, they leave, they come back.

use serde_json::{Value, json};

use super::actors::Answer;
use super::app::{Choices, Dialect, Stage};

/// A group of the vault that may be granted and belongs to no profile of the stories.
pub const FORMER: &str = "Platform-Leads";
/// A group of the vault that this service may not grant.
pub const FOREIGN: &str = "Given-By-Hand";

impl Choices {
    /// The usual ones; the former group may be granted, too.
    pub fn with_former_group(dialect: Dialect) -> Self {
        let line = |groups: &str| format!("grantable_groups = [{groups}]");
        let groups = "\"Ops-Readers\", \"Linux Admins\"";
        let edits = vec![(line(groups), line(&format!("{groups}, \"{FORMER}\"")))];
        Self { dialect, edits, ..Self::default() }
    }
}

impl Stage {
    /// Zoë O'Brien with every field set that this vault knows, in three groups; answers the user's number.
    pub fn somebody(&self) -> i64 {
        for group in [FORMER, FOREIGN] {
            self.simulator.vault.add_group(group).unwrap();
        }
        self.add_her()
    }

    /// Somebody deletes her account and makes it anew as it was; answers the new number.
    pub fn make_her_anew(&self, id: i64) -> i64 {
        self.simulator.vault.remove_user(id).unwrap();
        self.add_her()
    }

    fn add_her(&self) -> i64 {
        let mut described = everything();
        match self.choices.dialect {
            Dialect::Product => {}
            Dialect::GuideAuto | Dialect::GuidePinned => keep_what_the_guide_knows(&mut described),
        }
        self.simulator.vault.add_user(&described).unwrap()
    }

    /// What HR says of her: this kind, with these parts besides.
    pub async fn told(&self, kind: &str, source_ref: &str, parts: Value) -> Answer {
        let mut body = json!({
            "schema": "jml/1", "kind": kind, "source_ref": source_ref, "person_ref": "E10442",
            "effective": { "at": "2026-11-30", "tz": "Europe/Berlin" }, "subject": { "username": "zobrien" },
        });
        let Value::Object(parts) = parts else { panic!("parts are an object") };
        for (key, value) in parts {
            body[key.as_str()] = value;
        }
        self.post(&format!("msg_{source_ref}"), body.to_string().as_bytes()).await
    }

    /// She leaves: taken in and planned.
    pub async fn leaves(&self, source_ref: &str, parts: Value) -> String {
        let answer = self.told("leaver", source_ref, parts).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.settle().await;
        answer.workflow()
    }

    /// She moves to IT Ops: taken in and planned.
    pub async fn moves(&self, source_ref: &str) -> String {
        let parts = json!({ "employment": { "title": "Team Lead", "department": "IT Ops" } });
        let answer = self.told("mover", source_ref, parts).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.settle().await;
        answer.workflow()
    }

    /// She comes back to IT Ops: taken in and planned.
    pub async fn comes_back(&self, source_ref: &str) -> String {
        let answer = self.told("rehire", source_ref, return_to_operations()).await;
        assert_eq!(answer.status, 202, "{}", answer.body);
        self.settle().await;
        answer.workflow()
    }

    /// She has left: disabled, as an administrator leaves her, with whatever groups she has.
    pub fn somebody_who_left(&self) -> i64 {
        let id = self.somebody();
        self.simulator.vault.patch_user(id, &json!({ "enableUser": false })).unwrap();
        id
    }

    /// A request for an account that nobody may touch: it is in its trail with the reason, and in one alarm of its own.
    pub async fn is_told_as_protected(&self, workflow: &str, why: &str) {
        let trail = self.trail(workflow).await;
        let told = trail.iter().find(|event| event["kind"] == "account.protected");
        let because = told.unwrap_or_else(|| panic!("{trail:#?}"))["personal"]["because"].as_str().unwrap();
        assert!(because.contains(why), "{because}");
        let mut alarms = trail.iter().filter(|event| event["kind"] == "alarm.raised");
        let because = alarms.next().expect("an alarm")["personal"]["because"].as_str().unwrap();
        assert!(because.contains(why) && alarms.next().is_none(), "{trail:#?}");
        let about = format!("Alarm about workflow {workflow}.");
        let mails = self.simulator.mailbox.mails_to("pam-team@example.com");
        let of_it = mails.iter().filter(|mail| mail.text.as_ref().is_some_and(|text| text.contains(&about)));
        assert_eq!(of_it.count(), 1, "one mail says so of {workflow}");
    }

    /// Both approvers say yes; nothing is carried out yet.
    pub async fn both_approve(&self) {
        for who in ["ana@example.com", "bo@example.com"] {
            let answer = self.decide(&self.asked(who), "approve", "").await;
            assert_eq!(answer.status, 303, "{}", answer.body);
        }
    }

    /// The link of the latest mail that asks somebody to decide.
    pub fn asked(&self, who: &str) -> String {
        let mails = self.simulator.mailbox.mails_to(who);
        let asking = mails.iter().rev().find(|mail| mail.subject.starts_with("Your approval is wanted"));
        asking.unwrap_or_else(|| panic!("{who} is asked about nothing")).links()[0].clone()
    }

    /// The user as the vault keeps it.
    pub fn zobrien(&self) -> Value {
        self.simulator.vault.user("zobrien").expect("the user is there")
    }

    /// The groups she is in.
    pub fn her_groups(&self) -> Vec<String> {
        let user = self.zobrien();
        let groups = user["groupsMembership"].as_array().unwrap();
        groups.iter().map(|group| group["groupName"].as_str().unwrap().to_owned()).collect()
    }
}

/// What HR says of the work of somebody who comes back.
pub fn return_to_operations() -> Value {
    json!({ "employment": { "department": "IT Ops", "manager": { "email": "max@example.com" } } })
}

/// The places where two records differ.
pub fn differences(before: &Value, after: &Value) -> Vec<String> {
    let mut found = vec![];
    compare("", before, after, &mut found);
    found
}

fn compare(at: &str, before: &Value, after: &Value, found: &mut Vec<String>) {
    match (before, after) {
        (Value::Object(one), Value::Object(other)) => {
            let keys: std::collections::BTreeSet<&String> = one.keys().chain(other.keys()).collect();
            for key in keys {
                let nothing = &Value::Null;
                let (one, other) = (one.get(key).unwrap_or(nothing), other.get(key).unwrap_or(nothing));
                compare(&format!("{at}/{key}"), one, other, found);
            }
        }
        (one, other) if one == other => {}
        _ => found.push(at.to_owned()),
    }
}

/// A user of whom the vault knows everything that it can know.
fn everything() -> Value {
    json!({
        "username": "zobrien", "userType": "EPVUser", "location": "\\Users\\Platform",
        "enableUser": true, "changePassOnNextLogon": false, "passwordNeverExpires": true,
        "expiryDate": 1_900_000_000, "description": "Keeps the night shift",
        "unAuthorizedInterfaces": ["PSM"], "vaultAuthorization": ["AuditUsers"],
        "businessAddress": { "workStreet": "Quay 1", "workCity": "Dublin", "workState": "L", "workZip": "D01",
            "workCountry": "Ireland" },
        "internet": { "homePage": "https://example.com/zoe", "homeEmail": "zoe@home.example",
            "businessEmail": "zoe.obrien@example.com", "otherEmail": "z@example.com" },
        "phones": { "homeNumber": "1", "businessNumber": "2", "cellularNumber": "3", "faxNumber": "4",
            "pagerNumber": "5" },
        "personalDetails": { "street": "Lane 2", "city": "Dublin", "state": "L", "zip": "D02",
            "country": "Ireland", "title": "Administrator", "organization": "Example AG",
            "department": "Platform", "profession": "Engineer", "firstName": "Zoë", "middleName": "M",
            "lastName": "O'Brien" },
        "userActivityLogRetentionDays": 30, "loginFromHour": 6, "loginToHour": 22,
        "groups": ["Ops-Readers", FORMER, FOREIGN],
    })
}

/// The guide's record has room for a name, a mail address and little else.
fn keep_what_the_guide_knows(user: &mut Value) {
    let unknown = [
        "unAuthorizedInterfaces",
        "businessAddress",
        "phones",
        "userActivityLogRetentionDays",
        "loginFromHour",
        "loginToHour",
    ];
    for key in unknown {
        user.as_object_mut().unwrap().remove(key);
    }
    user["internet"] = json!({ "businessEmail": user["internet"]["businessEmail"] });
    let person = &user["personalDetails"];
    user["personalDetails"] = json!({ "firstName": person["firstName"], "lastName": person["lastName"] });
}
