//! Texts that a vault cannot keep as they were requested.

use std::collections::BTreeMap;

use crate::domain::snapshot::ProfileField;
use crate::web::visible::visible;

/// What was cut to fit or left out. What was cut is still kept; what the vault has no field for is not.
pub(super) fn cut<'k>(
    cut: &BTreeMap<ProfileField, String>,
    kept: impl Fn(ProfileField) -> Option<&'k str>,
) -> Vec<String> {
    let told = |(field, requested): (&ProfileField, &String)| {
        let (words, requested) = (field.in_words(), visible(requested));
        match kept(*field) {
            Some(kept) => {
                // A new account's description begins with our mark, which takes some of the room.
                let (taken, beside) = match (*field, kept.chars().count()) {
                    (ProfileField::Description, kept) if kept < field.most() => (kept, " beside our mark"),
                    _ => (field.most(), ""),
                };
                format!(
                    "The {words} is too long for the vault, which takes {taken} characters{beside}. Requested: \
                     \u{201c}{requested}\u{201d}. Kept: \u{201c}{}\u{201d}.",
                    visible(kept)
                )
            }
            None => format!("The vault keeps no {words}, so this is left out: \u{201c}{requested}\u{201d}."),
        }
    };
    cut.iter().map(told).collect()
}
