//! Why a message is not taken for authentic. For our own log; the sender is not told.

/// Why a message is not taken for authentic.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAuthentic {
    /// No such source, or one that does not send webhooks.
    #[error("no source of this name sends webhooks")]
    NoSuchSource,
    /// A header is missing, there twice, or not ASCII.
    #[error("the header {0} must be there exactly once")]
    Header(String),
    /// An id that could shift the boundaries of what is signed, or is too long.
    #[error("the header {0} must be 1 to 256 visible ASCII characters without a full stop")]
    Id(&'static str),
    /// A delivery key that is too long or cannot be seen.
    #[error("the header {0} must be 1 to 256 visible ASCII characters")]
    Key(String),
    /// A time that nobody can read.
    #[error("the header {0} must be whole seconds since 1970, or RFC 3339 where the recipe is our own")]
    Timestamp(String),
    /// Too old, or from the future.
    #[error("the header {0} lies too far from now")]
    OutsideWindow(String),
    /// A signed header holds the characters that should end it, so that it could be read in two ways.
    #[error("the header {0} holds the characters that stand after it in what is signed")]
    Boundary(String),
    /// None of the signatures was made with one of the secrets.
    #[error("no signature fits")]
    NoSignatureFits,
    /// The secret that was shown is none of those in the settings.
    #[error("what was shown is no secret of this source")]
    NotTheSecret,
}
