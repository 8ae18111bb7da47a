//! The fields of a profile in a record: where they stand, and whether they say what was approved.
//!
//! Must hold: a value is written where this vault keeps it, nested or flat; vaults trim texts and spell paths their own
//! way, and neither is a difference.

use super::edit::Place;
use super::users::{Account, Shape, own_shape};
use crate::domain::names::Location;
use crate::domain::plan::UserShape;
use crate::domain::snapshot::ProfileField;

/// The shape in which to write this very record: the pinned one, or its own.
pub(super) fn shape_of(pinned: UserShape, account: &Account) -> Shape {
    match pinned {
        UserShape::Nested => Shape::Nested,
        UserShape::Flat => Shape::Flat,
        UserShape::Auto => own_shape(account),
    }
}

/// Where a field of the profile stands in a record of this shape.
pub(super) fn place_of(field: ProfileField, shape: Shape) -> Place {
    let personal = |name| match shape {
        Shape::Nested => Place::inside("personalDetails", name),
        Shape::Flat => Place::top(name),
    };
    match field {
        ProfileField::FirstName => personal("firstName"),
        ProfileField::MiddleName => personal("middleName"),
        ProfileField::LastName => personal("lastName"),
        ProfileField::Title => personal("title"),
        ProfileField::Organization => personal("organization"),
        ProfileField::Department => personal("department"),
        ProfileField::Email => match shape {
            Shape::Nested => Place::inside("internet", "businessEmail"),
            Shape::Flat => Place::top("email"),
        },
        ProfileField::Location => Place::top("location"),
        ProfileField::Description => Place::top("description"),
    }
}

/// Does the record say this in this field? A field that is not there says nothing.
pub(super) fn shows(account: &Account, field: ProfileField, wanted: &str) -> bool {
    let seen = account.user.profile.get(&field).map_or("", String::as_str);
    let place =
        |path: &str| Location::parse(path).or_else(|_| Location::parse(path.trim_end_matches('\\'))).ok();
    match (field, place(seen), place(wanted)) {
        (ProfileField::Location, Some(seen), Some(wanted)) => {
            seen.lies_under(&wanted) && wanted.lies_under(&seen)
        }
        _ => seen.trim() == wanted.trim(),
    }
}
