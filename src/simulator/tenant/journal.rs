//! What the tenant remembers of the client's visits: the writes that counted, and every request.
//!
//! Must hold: a write stands in the journal if and only if it was accepted; what an outside hand changes does not.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// One accepted write of the API client.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JournalEntry {
    /// When, by the simulator's clock.
    pub at: DateTime<Utc>,
    /// The HTTP method.
    pub method: String,
    /// The path as sent.
    pub path: String,
    /// The deed: `create_user`, `update_user`, `delete_user`, `disable_user`, `enable_user`, `activate_user`,
    /// `reset_password`, `add_member`, `remove_member`, `create_group` or `delete_group`.
    pub what: &'static str,
    /// The vault's number of the user.
    pub user_id: Option<i64>,
    /// The user's name after the write.
    pub user_name: Option<String>,
    /// The vault's number of the group.
    pub group_id: Option<i64>,
    /// The group's name.
    pub group_name: Option<String>,
}

/// One request, whatever became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct WireEntry {
    /// When it arrived, by the simulator's clock.
    pub at: DateTime<Utc>,
    /// The HTTP method.
    pub method: String,
    /// Path and query as sent.
    pub path: String,
    /// The status of the answer; none where no answer was sent.
    pub status: Option<u16>,
    /// The fault that was at work, if one was.
    pub fault: Option<&'static str>,
}

/// The deed of a write, before it is dated and addressed.
#[derive(Debug, Clone, Default)]
pub(super) struct Deed {
    pub what: &'static str,
    pub user: Option<(i64, String)>,
    pub group: Option<(i64, String)>,
}
