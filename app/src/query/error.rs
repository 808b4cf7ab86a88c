//! Why a query has no answer, once for all who ask: as an ABCI answer, as a gRPC status, over REST.
//!
//! Texts and codes are those clients of Cosmos and Cyber software match on (`clients.md` §5.2).

use crate::error::{code, Code, Refusal};
use crate::search::{Late, SearchError};

/// A gRPC status code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u32)]
pub enum Status {
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    ResourceExhausted = 8,
    Internal = 13,
    Unavailable = 14,
}

impl Status {
    /// The name as Go prints it.
    fn name(self) -> &'static str {
        match self {
            Status::Unknown => "Unknown",
            Status::InvalidArgument => "InvalidArgument",
            Status::DeadlineExceeded => "DeadlineExceeded",
            Status::NotFound => "NotFound",
            Status::ResourceExhausted => "ResourceExhausted",
            Status::Internal => "Internal",
            Status::Unavailable => "Unavailable",
        }
    }
}

/// What a handler answers instead of a response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueryError {
    /// A gRPC status with its message.
    Status(Status, String),
    /// A registered error: its code, its words, and what it is about if that is said.
    Registered { code: Code, words: &'static str, about: Option<String> },
    /// A text alone.
    Plain(String),
}

impl QueryError {
    /// The request is wrong.
    pub fn invalid(text: impl Into<String>) -> QueryError {
        QueryError::Status(Status::InvalidArgument, text.into())
    }

    /// There is no such thing.
    pub fn not_found(text: impl Into<String>) -> QueryError {
        QueryError::Status(Status::NotFound, text.into())
    }

    /// A registered error about nothing in particular.
    pub fn registered(code: Code, words: &'static str) -> QueryError {
        QueryError::Registered { code, words, about: None }
    }

    /// A registered error about something.
    pub fn about(code: Code, words: &'static str, about: impl Into<String>) -> QueryError {
        QueryError::Registered { code, words, about: Some(about.into()) }
    }

    /// The answer over ABCI: codes of modules are lost there, their words are not.
    pub fn refusal(&self) -> Refusal {
        let (code, suffix) = match self {
            QueryError::Status(Status::NotFound, _) => (code::KEY_NOT_FOUND, "key not found"),
            QueryError::Status(Status::InvalidArgument, _) | QueryError::Plain(_) => {
                (code::INVALID_REQUEST, "invalid request")
            }
            QueryError::Status(..) | QueryError::Registered { .. } => {
                (code::UNKNOWN_REQUEST, "unknown request")
            }
        };
        let text = match self {
            QueryError::Status(status, text) => {
                format!("rpc error: code = {} desc = {text}", status.name())
            }
            QueryError::Registered { words, about: None, .. } => (*words).to_owned(),
            QueryError::Registered { words, about: Some(about), .. } => format!("{about}: {words}"),
            QueryError::Plain(text) => text.clone(),
        };
        Refusal::new(code, format!("{text}: {suffix}"))
    }

    /// The answer over gRPC and REST: status and message.
    pub fn status(&self) -> (u32, String) {
        match self {
            QueryError::Status(status, text) => (*status as u32, text.clone()),
            QueryError::Registered { code, words, about } => {
                let mut text = format!("codespace {} code {}: {words}", code.space, code.number);
                if let Some(about) = about {
                    text = format!("{text}: {about}");
                }
                (Status::Unknown as u32, text)
            }
            QueryError::Plain(text) => (Status::Unknown as u32, text.clone()),
        }
    }
}

impl From<Late> for QueryError {
    fn from(late: Late) -> QueryError {
        QueryError::Status(Status::DeadlineExceeded, late.to_string())
    }
}

impl From<SearchError> for QueryError {
    fn from(error: SearchError) -> QueryError {
        match error {
            SearchError::Late(late) => late.into(),
            SearchError::Off | SearchError::NotReady { .. } => {
                QueryError::Status(Status::Unavailable, error.to_string())
            }
        }
    }
}
