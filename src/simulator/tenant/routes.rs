//! Which call is meant: paths in any case, doubled and trailing slashes forgiven, as the product's web server does.
//!
//! Must hold: the token is checked before anything is looked up, and the rights before anything is changed.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::user::Dialect;
use super::users::Turn;
use super::wire::{Answer, Call, Refusal};
use super::{DisableCall, Product, Rights, SafeList, Tenant};

impl Tenant {
    /// Answers one call at the moment `now`.
    pub fn answer(&mut self, now: DateTime<Utc>, call: &Call) -> Answer {
        let segments = call.segments();
        // The web server in front takes these signs in no path, encoded or not.
        if segments.iter().any(|segment| segment.contains(['+', '&', '%'])) {
            return Answer::html(400, "400 - Bad Request");
        }
        let lowered: Vec<String> = segments.iter().map(|segment| segment.to_lowercase()).collect();
        let lowered: Vec<&str> = lowered.iter().map(String::as_str).collect();
        let product = self.options.product;
        let known = match (lowered.as_slice(), product) {
            (["oauth2", "platformtoken"], Product::PrivilegeCloud) if call.method == "POST" => {
                return self.token(now, call);
            }
            (["oauth2", "platformtoken"], Product::PrivilegeCloud) => return no_such_method(call),
            (["passwordvault", "api", "auth", rest @ ..], Product::SelfHosted) => {
                return self.auth_call(now, call, rest);
            }
            (["passwordvault", "api", rest @ ..], Product::PrivilegeCloud | Product::SelfHosted) => rest,
            _ => return no_such_path(),
        };
        if let Err(refusal) = self.let_in(now, call) {
            return refusal.into();
        }
        if call.method != "GET" && self.options.rights == Rights::Audit {
            return Refusal::not_authorised().into();
        }
        let last = segments.last().map_or("", String::as_str);
        let answer = match known {
            ["users", rest @ ..] => self.users_call(now, call, rest),
            ["usergroups", rest @ ..] => self.groups_call(now, call, (rest, last)),
            ["usertypes"] if call.method == "GET" => Ok(Answer::json(200, self.user_types())),
            ["usertypes"] => Ok(no_such_method(call)),
            _ => Ok(no_such_path()),
        };
        answer.unwrap_or_else(Answer::from)
    }

    fn auth_call(&mut self, now: DateTime<Utc>, call: &Call, rest: &[&str]) -> Answer {
        let answer = match rest {
            ["cyberark" | "ldap" | "radius" | "windows", "logon"] if call.method == "POST" => {
                self.log_on(now, call)
            }
            ["logoff"] if call.method == "POST" => self.log_off(now, call),
            ["cyberark" | "ldap" | "radius" | "windows", "logon"] | ["logoff"] => Ok(no_such_method(call)),
            _ => Ok(no_such_path()),
        };
        answer.unwrap_or_else(Answer::from)
    }

    fn users_call(&mut self, now: DateTime<Utc>, call: &Call, rest: &[&str]) -> Result<Answer, Refusal> {
        let (id, deed) = match rest {
            [] => {
                return match call.method.as_str() {
                    "GET" => self.list_users(call),
                    "POST" => self.create_user(now, call),
                    _ => Ok(no_such_method(call)),
                };
            }
            [id] => (number(id)?, ""),
            [id, deed] => (number(id)?, *deed),
            _ => return Ok(no_such_path()),
        };
        let disable_call = match self.options.dialect {
            Dialect::Product => self.options.disable_call,
            Dialect::Guide => DisableCall::Unknown,
        };
        match (call.method.as_str(), deed) {
            ("GET", "") => self.get_user(id),
            ("PUT", "") => self.update_user(now, call, id),
            ("DELETE", "") => self.delete_user(now, call, id),
            (_, "safes") if self.options.safe_list == SafeList::Unknown => Ok(no_such_path()),
            ("GET", "safes") => self.list_safes(call, id),
            (_, "disable" | "enable") if disable_call == DisableCall::Unknown => Ok(no_such_path()),
            (_, "disable" | "enable") if disable_call == DisableCall::NotAllowed => Ok(no_such_method(call)),
            ("POST", "disable") => self.turn_user(now, call, (id, Turn::Disable)),
            ("POST", "enable") => self.turn_user(now, call, (id, Turn::Enable)),
            ("POST", "activate") => self.turn_user(now, call, (id, Turn::Activate)),
            ("POST", "resetpassword") => self.reset_password(now, call, id),
            (_, "" | "disable" | "enable" | "activate" | "resetpassword" | "safes") => {
                Ok(no_such_method(call))
            }
            _ => Ok(no_such_path()),
        }
    }

    fn groups_call(
        &mut self,
        now: DateTime<Utc>,
        call: &Call,
        path: (&[&str], &str),
    ) -> Result<Answer, Refusal> {
        let (rest, last) = path;
        match (call.method.as_str(), rest) {
            ("GET", []) => self.list_groups(call),
            ("POST", []) => self.create_group(now, call),
            ("GET", [id]) => self.get_group(call, number(id)?),
            ("DELETE", [id]) => self.delete_group(now, call, number(id)?),
            ("POST", [id, "members"]) => self.add_member(now, call, number(id)?),
            ("DELETE", [id, "members", _]) => self.remove_member(now, call, (number(id)?, last)),
            (_, [] | [_] | [_, "members"] | [_, "members", _]) => Ok(no_such_method(call)),
            _ => Ok(no_such_path()),
        }
    }
}

fn number(segment: &str) -> Result<i64, Refusal> {
    segment.parse().map_err(|_| Refusal::invalid("the id must be a number"))
}

fn no_such_method(call: &Call) -> Answer {
    let message = format!("The requested resource does not support http method '{}'.", call.method);
    Answer::json(405, json!({ "Message": message }))
}

fn no_such_path() -> Answer {
    Answer::json(404, json!({ "Message": "No HTTP resource was found that matches the request URI." }))
}
