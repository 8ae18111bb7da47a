//! What to look at twice where somebody comes back.
//!
//! Must hold: a rehire changes nothing in the account's record, so what the request says otherwise is told.

use crate::domain::drift::same_text;
use crate::domain::kind::Kind;
use crate::domain::plan::Plan;
use crate::domain::request::Request;
use crate::domain::snapshot::{ProfileField, Snapshot, UserSeen, UserSource};
use crate::web::visible::visible;

/// The fields that the request has otherwise than the record, which stays.
pub(super) fn record_stays(request: &Request, plan: &Plan, snapshot: &Snapshot) -> Option<String> {
    let UserSeen::Present(user) = &snapshot.user else { return None };
    if plan.kind != Kind::Rehire || user.source == UserSource::Directory {
        return None;
    }
    let is_kept =
        |field: ProfileField| snapshot.kept_fields.as_ref().is_none_or(|kept| kept.contains(&field));
    let told: Vec<String> = said(request)
        .filter(|(field, _)| is_kept(*field))
        .filter_map(|(field, text)| {
            let has = user.profile.get(&field).map(String::as_str).unwrap_or_default();
            // What is too long for the vault is cut by it.
            let fits: String = text.chars().take(field.most()).collect();
            (!same_text(field, Some(has), Some(&fits))).then(|| {
                let has = if has.is_empty() { "nothing".to_owned() } else { quoted(has) };
                format!("{} {} (the vault has {has})", field.in_words(), quoted(text))
            })
        })
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "The record of the account stays as it is, although the request says otherwise: {}. A mover changes it.",
            told.join("; ")
        )
    })
}

fn quoted(text: &str) -> String {
    format!("\u{201c}{}\u{201d}", visible(text))
}

/// What the request says of the person.
fn said(request: &Request) -> impl Iterator<Item = (ProfileField, &str)> {
    let (subject, work) = (request.known_subject(), &request.employment);
    [
        (ProfileField::FirstName, subject.and_then(|who| who.first_name.as_ref()).map(|text| text.as_str())),
        (
            ProfileField::MiddleName,
            subject.and_then(|who| who.middle_name.as_ref()).map(|text| text.as_str()),
        ),
        (ProfileField::LastName, subject.and_then(|who| who.last_name.as_ref()).map(|text| text.as_str())),
        (ProfileField::Email, request.email().map(|text| text.as_str())),
        (ProfileField::Title, work.title.as_ref().map(|text| text.as_str())),
        (ProfileField::Department, work.department.as_ref().map(|text| text.as_str())),
        (ProfileField::Organization, work.organization.as_ref().map(|text| text.as_str())),
    ]
    .into_iter()
    .filter_map(|(field, text)| Some((field, text?)))
}
