//! Does a posted form come from a page of ours?
//!
//! Must hold: an `Origin` must be exactly our public address; without one the browser itself must say that the form
//! is ours (Fetch Metadata). A request that says neither is refused: every browser of today says at least one.
//! Deliberately absent: form tokens, which are bound to what a form shows and belong to its station.

use actix_web::http::header::{self, HeaderMap};
use url::Url;

/// A form that did not come from a page of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ForeignForm {
    /// Another site sent it.
    #[error("a form came from another origin")]
    OtherOrigin,
    /// Nothing says where it comes from.
    #[error("a form came without a sign of its origin")]
    Unproven,
}

/// Judges the headers of a POST.
pub fn from_own_page(headers: &HeaderMap, public_url: &Url) -> Result<(), ForeignForm> {
    let text = |value: &header::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    if let Some(origin) = headers.get(header::ORIGIN).map(text) {
        let ours = public_url.origin().ascii_serialization();
        return if origin == ours { Ok(()) } else { Err(ForeignForm::OtherOrigin) };
    }
    match headers.get("sec-fetch-site").map(text).as_deref() {
        Some("same-origin" | "none") => Ok(()),
        Some(_) => Err(ForeignForm::OtherOrigin),
        None => Err(ForeignForm::Unproven),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_pages_may_post() {
        let home = Url::parse("https://countersign.example.com").unwrap();
        let judge = |given: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in given {
                headers.insert(name.parse().unwrap(), header::HeaderValue::from_static(value));
            }
            from_own_page(&headers, &home)
        };
        assert_eq!(judge(&[("origin", "https://countersign.example.com")]), Ok(()));
        assert_eq!(judge(&[("sec-fetch-site", "same-origin")]), Ok(()));
        assert_eq!(judge(&[("sec-fetch-site", "none")]), Ok(()));
        for foreign in [
            "null",
            "http://countersign.example.com",
            "https://countersign.example.com:8443",
            "https://countersign.example.com.evil.example",
            "",
        ] {
            let both = [("origin", foreign), ("sec-fetch-site", "same-origin")];
            assert_eq!(judge(&both), Err(ForeignForm::OtherOrigin), "{foreign}");
        }
        assert_eq!(judge(&[("sec-fetch-site", "same-site")]), Err(ForeignForm::OtherOrigin));
        assert_eq!(judge(&[("sec-fetch-site", "cross-site")]), Err(ForeignForm::OtherOrigin));
        assert_eq!(judge(&[]), Err(ForeignForm::Unproven));
    }
}
