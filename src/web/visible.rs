//! Foreign text on our pages: what cannot be seen is made visible.
//!
//! Must hold: no character that turns, hides or joins what stands around it reaches a page; escaping for HTML is the
//! template's work and comes afterwards.

use std::fmt::Write as _;

use crate::domain::names::is_invisible;

/// The text with each invisible, turning or control character spelled out, such as ‹U+202E›. Line breaks stay.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for sign in text.chars() {
        if sign == '\n' || !hides(sign) {
            shown.push(sign);
        } else {
            // Writing to a String cannot fail.
            let _ = write!(shown, "\u{2039}U+{:04X}\u{203a}", u32::from(sign));
        }
    }
    shown
}

/// Does a text hold something that a reader would not see?
pub fn hides_something(text: &str) -> bool {
    text.chars().any(|sign| sign != '\n' && hides(sign))
}

fn hides(sign: char) -> bool {
    sign.is_control() || is_invisible(sign) || matches!(sign, '\u{2028}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_turns_or_hides_text_is_spelled_out() {
        assert_eq!(visible("pay\u{202e}roll\u{200b}!\u{7}"), "pay‹U+202E›roll‹U+200B›!‹U+0007›");
        assert_eq!(visible("two\nlines — Zoë 山田"), "two\nlines — Zoë 山田");
        assert!(hides_something("a\u{2066}b") && !hides_something("O'Brien\nab"));
    }
}
