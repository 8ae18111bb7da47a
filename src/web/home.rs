//! Where people find us: what stands before every path of ours when a proxy adds a prefix.
//!
//! Must hold: an address in a page or a redirect is built here, from the settings alone; never from a Host header or
//! from the path of a request.

use super::assets;
use crate::kit::Kit;

/// The path under which people reach us, without a slash at its end; empty at the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Home(String);

impl Home {
    /// As configured in `http.public_url`.
    pub fn of(kit: &Kit) -> Self {
        Self(kit.settings.http.public_url.path().trim_end_matches('/').to_owned())
    }

    /// One of our own addresses, as a browser must ask for it; `path` begins with a slash.
    pub fn path(&self, path: &str) -> String {
        format!("{}{path}", self.0)
    }

    /// The address of the stylesheet.
    pub fn style_url(&self) -> String {
        self.path(assets::style_url())
    }

    /// The address of the script that follows a run.
    pub fn script_url(&self) -> String {
        self.path(assets::script_url())
    }

    /// The address of the icon.
    pub fn icon_url(&self) -> String {
        self.path(assets::icon_url())
    }
}
