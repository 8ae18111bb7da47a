//! Taking properties out of the bodies of calls: the vault matches their names in any case.

use serde_json::Value;

/// A property of a body, its name in any case.
pub(super) fn property<'body>(body: &'body Value, name: &str) -> Option<&'body Value> {
    let keys = body.as_object()?;
    keys.iter()
        .find(|(key, value)| key.eq_ignore_ascii_case(name) && !value.is_null())
        .map(|(_, value)| value)
}

/// A text property of a body, its name in any case.
pub(super) fn text_of<'body>(body: &'body Value, name: &str) -> Option<&'body str> {
    property(body, name).and_then(Value::as_str)
}
