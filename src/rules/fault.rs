//! Why a condition cannot be compiled or answered.
//!
//! Must hold: no value of a request is repeated; a field is named only when the condition itself names it.

/// What is wrong with a condition, or with what it met.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RuleFault {
    /// Longer than the parser can be trusted with.
    #[error("is longer than 2000 bytes")]
    TooLong,
    /// The text is not CEL.
    #[error("is not a CEL expression: line {line}, column {column}")]
    NotCel {
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
    },
    /// More than four loops in one expression.
    #[error("has more than 4 loops (all, exists, exists_one, map, filter)")]
    TooManyLoops,
    /// A loop in a loop in a loop.
    #[error("has loops nested more than 2 deep")]
    LoopsTooDeep,
    /// Only `req` is known, and what loops name themselves.
    #[error("names \"{name}\", which is not known; a condition sees the request as req")]
    UnknownName {
        /// As written in the condition.
        name: String,
    },
    /// A function that is not there or not allowed in conditions.
    #[error("calls \"{name}\", which is not a function for conditions")]
    UnknownFunction {
        /// As written in the condition.
        name: String,
    },
    /// The request has no such field.
    #[error("needs {field}, which the request does not have")]
    MissingField {
        /// The field in quotes, or "a field" when its name was computed.
        field: String,
    },
    /// The answer is something else than true or false.
    #[error("gives a {found}, not true or false")]
    NotYesOrNo {
        /// The type that was found.
        found: &'static str,
    },
    /// Things were compared or combined that do not go together.
    #[error("does not fit what the request has: types or numbers do not go together")]
    Unfitting,
    /// It ran into the time limit and was abandoned.
    #[error("was not answered in time")]
    TooSlow,
    /// The interpreter failed.
    #[error("made the interpreter fail")]
    Crashed,
    /// Too many abandoned evaluations have not ended yet.
    #[error("was not tried: too many slow conditions are still running")]
    Busy,
    /// The machine gives no thread to evaluate on, or the interpreter could not be set up.
    #[error("could not be tried: the interpreter did not start")]
    NoInterpreter,
}
