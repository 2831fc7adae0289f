//! What the admin API answers when it cannot do what was asked: a code for programs, a sentence for
//! people, and an id that also stands in the log.

use crate::services::Failure;
use crate::settings::SettingError;
use crate::transport::request::BodyError;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sluicegate_policy::hierarchy::{ContentError, FilterError, ModeError, PatienceError, ScheduleError};
use sluicegate_policy::rules::RuleError;
use sluicegate_policy::{ApprovalError, GroupError};
use sluicegate_store::StoreError;
use sluicegate_terms::{Guid, TermError};
use sluicegate_upstream::sync::SyncError;

/// A refusal or failure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AdminError {
    pub(crate) status: StatusCode,
    /// For programs.
    pub(crate) code: &'static str,
    /// What, why, and what next.
    pub(crate) message: String,
}

impl AdminError {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into() }
    }

    /// `what` says what is wrong with the token.
    pub(crate) fn unauthorized(what: &str) -> Self {
        let message = format!(
            "{what}: the token is in the file `admin-token` of the data folder and goes into the header \
             `Authorization: Bearer TOKEN`"
        );
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", message)
    }

    /// The same refusal of settings that were tried first.
    pub(crate) fn nothing_saved(self) -> Self {
        let why = "`--no-probe`, or `\"probe\": false`, saves it all the same";
        Self { message: format!("nothing was saved ({why}): {}", self.message), ..self }
    }

    /// The client speaks another version of this interface.
    pub(crate) fn other_version(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "other-version", message)
    }

    pub(crate) fn nowhere(path: &str) -> Self {
        let path: String = path.chars().take(100).collect();
        Self::new(StatusCode::NOT_FOUND, "no-such-path", format!("there is nothing at /api/v1/{path}"))
    }

    pub(crate) fn bad_path(name: &str) -> Self {
        let name: String = name.chars().take(100).collect();
        Self::new(StatusCode::BAD_REQUEST, "invalid", format!("`{name}` is not a properly escaped name"))
    }

    pub(crate) fn method(method: &Method) -> Self {
        let message = format!("{method} is not possible here; look is GET, do is POST, settings are PUT");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method", message)
    }

    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid", message)
    }

    pub(crate) fn unknown(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "unknown", message)
    }

    pub(crate) fn internal(message: impl Into<String>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message)
    }

    /// As the body of an answer. What failed inside is for the log; it may name places on this machine.
    pub(crate) fn to_json(&self, id: Guid) -> Value {
        let message = match self.code {
            "internal" => format!("the server failed; its log says why under {id}"),
            _ => self.message.clone(),
        };
        json!({ "error": { "code": self.code, "message": message, "id": id.to_string() } })
    }
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::UnknownUpdate(_)
            | StoreError::UnknownRevision(_)
            | StoreError::UnknownComputer(_) => Self::unknown(message),
            StoreError::Decision(decision) => decision.into(),
            StoreError::Rule(rule) => rule.into(),
            StoreError::Replica { .. } => Self::new(StatusCode::CONFLICT, "LocalError/Replica", message),
            StoreError::UndeclaredContent { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "undeclared-content", message)
            }
            StoreError::ContentMismatch { .. } => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "content-mismatch", message)
            }
            StoreError::ContentSource { .. } => Self::new(StatusCode::BAD_REQUEST, "broken-upload", message),
            StoreError::DiskFull { .. } | StoreError::NoRoom { .. } => {
                Self::new(StatusCode::INSUFFICIENT_STORAGE, "disk-full", message)
            }
            StoreError::Invalid { .. } | StoreError::Unusable { .. } => Self::invalid(message),
            _ => Self::internal(message),
        }
    }
}

impl From<ApprovalError> for AdminError {
    fn from(error: ApprovalError) -> Self {
        let message = error.to_string();
        match error {
            ApprovalError::Group(group) => group.into(),
            _ => Self::new(StatusCode::CONFLICT, "not-possible", message),
        }
    }
}

impl From<RuleError> for AdminError {
    fn from(error: RuleError) -> Self {
        let message = error.to_string();
        match error {
            RuleError::Unknown(_) => Self::unknown(message),
            RuleError::Default | RuleError::Full => Self::new(StatusCode::CONFLICT, "not-possible", message),
            _ => Self::invalid(message),
        }
    }
}

impl From<SyncError> for AdminError {
    fn from(error: SyncError) -> Self {
        let message = error.to_string();
        match error {
            SyncError::Store(error) => error.into(),
            // The condition that is not met, by the name that history and doctor know it by (known problem P-21).
            SyncError::NoUpstream => Self::new(StatusCode::CONFLICT, error.code(), message),
            SyncError::Filter(_) => Self::new(StatusCode::BAD_REQUEST, error.code(), message),
            SyncError::Task(_) => Self::internal(message),
            // The upstream's failure, with the code that history and doctor know it by.
            other => Self::new(StatusCode::BAD_GATEWAY, other.code(), message),
        }
    }
}

/// What policy refuses about a server's place in a tree is what was sent wrongly.
macro_rules! invalid {
    ($($error:ty),+) => {$(
        impl From<$error> for AdminError {
            fn from(error: $error) -> Self {
                Self::invalid(error.to_string())
            }
        }
    )+};
}

invalid!(ModeError, ScheduleError, PatienceError, ContentError, FilterError);

impl From<GroupError> for AdminError {
    fn from(error: GroupError) -> Self {
        let message = error.to_string();
        match error {
            GroupError::UnknownId(_) | GroupError::UnknownName(_) => Self::unknown(message),
            GroupError::Name { .. } => Self::invalid(message),
            _ => Self::new(StatusCode::CONFLICT, "not-possible", message),
        }
    }
}

impl From<SettingError> for AdminError {
    fn from(error: SettingError) -> Self {
        match error {
            SettingError::Unknown(_) => Self::unknown(error.to_string()),
            SettingError::Value { .. } | SettingError::ReadOnly(_) => Self::invalid(error.to_string()),
        }
    }
}

impl From<TermError> for AdminError {
    fn from(error: TermError) -> Self {
        Self::invalid(error.to_string())
    }
}

impl From<BodyError> for AdminError {
    fn from(error: BodyError) -> Self {
        Self::new(error.status(), "body", error.to_string())
    }
}

impl From<Failure> for AdminError {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Store(error) => error.into(),
            other => Self::internal(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_inside_is_not_told_outside() {
        let error = AdminError::internal("/srv/data/x is damaged");
        let text = error.to_json(Guid::from_u128(7)).to_string();
        assert!(!text.contains("/srv/data"), "{text}");
        assert!(text.contains(&Guid::from_u128(7).to_string()));
    }
}
