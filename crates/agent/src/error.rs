//! Agent: why a scan, a download or a report ended early, with the code a real agent would log.

use crate::fragments::FragmentError;
use crate::hresult::HResult;
use crate::http::HttpError;
use sluicegate_soap::DecodeError;
use sluicegate_soap::fault::ReceivedFault;
use std::time::Duration;

/// A call or a scan that failed.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// No complete answer.
    #[error("{operation}: {source}")]
    Http {
        /// Which operation.
        operation: &'static str,
        /// What happened.
        source: HttpError,
    },
    /// An HTTP status that is neither success nor a SOAP fault.
    #[error("{operation}: the server answered HTTP {status}: {excerpt}")]
    Status {
        /// Which operation.
        operation: &'static str,
        /// The status.
        status: u16,
        /// The beginning of the body.
        excerpt: String,
    },
    /// The server stayed busy for longer than this agent is patient.
    #[error("{operation}: the server was busy {refusals} times in a row; the next scan may find it free")]
    Busy {
        /// Which operation.
        operation: &'static str,
        /// How often it refused.
        refusals: u32,
        /// What it asked to wait at last.
        retry_after: Option<Duration>,
    },
    /// A fault that ends the scan.
    #[error("{operation}: {fault}")]
    Fault {
        /// Which operation.
        operation: &'static str,
        /// The fault; its id stands in the server's log too.
        fault: Box<ReceivedFault>,
    },
    /// The answer is not what the protocol says.
    #[error("{operation}: the answer cannot be read: {source}")]
    Unreadable {
        /// Which operation.
        operation: &'static str,
        /// What is wrong with it.
        source: DecodeError,
    },
    /// The answer's compression cannot be undone.
    #[error("{operation}: the compressed answer cannot be read: {reason}")]
    Encoding {
        /// Which operation.
        operation: &'static str,
        /// What is wrong with it.
        reason: String,
    },
    /// 200 calls and the scan is not done.
    #[error("the scan was not done after {trips} round trips")]
    TooManyTrips {
        /// How many were made.
        trips: u32,
    },
    /// Revision ids lost their meaning: RefreshCache must come before the next call that uses them.
    #[error("{operation}: revision ids must be refreshed first")]
    RefreshRequired {
        /// Which operation would have used them.
        operation: &'static str,
    },
    /// The server keeps asking for a new handshake.
    #[error("{operation}: the server asked for {recoveries} recoveries in one scan, the last by {fault}")]
    RecoveredTooOften {
        /// Which operation.
        operation: &'static str,
        /// How often the agent did what faults asked.
        recoveries: u32,
        /// The last fault.
        fault: Box<ReceivedFault>,
    },
    /// GetConfig names no plug-in that this agent knows.
    #[error("GetConfig: the server names no SimpleTargeting plug-in; a MS-WUSP server must (2.2.2.2.1)")]
    NoPlugIn,
    /// A fragment the server sent cannot be read.
    #[error("revision {revision}: {source}")]
    Fragment {
        /// Of which revision.
        revision: u32,
        /// What is wrong with it.
        source: FragmentError,
    },
    /// A delivered revision without `Deployment`.
    #[error("SyncUpdates: revision {revision} came without a Deployment; agents cannot use it")]
    NoDeployment {
        /// Which revision.
        revision: u32,
    },
    /// The server says it did not take the events.
    #[error("ReportEventBatch: the server did not take the {events} events")]
    EventsRefused {
        /// How many were sent.
        events: usize,
    },
}

impl AgentError {
    /// The code a real agent would log.
    #[must_use]
    pub fn hresult(&self) -> HResult {
        match self {
            Self::Http { source, .. } => of_http(source),
            Self::Status { status, .. } => HResult::of_http_status(*status),
            Self::Busy { .. } => HResult::HTTP_SERVICE_UNAVAILABLE,
            Self::Fault { fault, .. } | Self::RecoveredTooOften { fault, .. } => of_fault(fault),
            Self::Unreadable { .. } | Self::Encoding { .. } | Self::Fragment { .. } => HResult::SOAP_PARSE,
            Self::TooManyTrips { .. } => HResult::EXCEEDED_MAX_SERVER_TRIPS,
            Self::RefreshRequired { .. } => HResult::REFRESH_CACHE_REQUIRED,
            Self::NoPlugIn => HResult::NO_AUTH_PLUGINS_REQUESTED,
            Self::EventsRefused { .. } => HResult::SOAP_SERVER,
            // E_INVALIDARG (observed-behaviour 3.2).
            Self::NoDeployment { .. } => HResult(0x8007_0057),
        }
    }

    /// The operation that failed, or `scan`.
    #[must_use]
    pub fn operation(&self) -> &'static str {
        match self {
            Self::Http { operation, .. }
            | Self::Status { operation, .. }
            | Self::Busy { operation, .. }
            | Self::Fault { operation, .. }
            | Self::Unreadable { operation, .. }
            | Self::Encoding { operation, .. }
            | Self::RefreshRequired { operation }
            | Self::RecoveredTooOften { operation, .. } => operation,
            Self::NoPlugIn => "GetConfig",
            Self::EventsRefused { .. } => "ReportEventBatch",
            Self::TooManyTrips { .. } | Self::Fragment { .. } | Self::NoDeployment { .. } => "SyncUpdates",
        }
    }
}

/// The code for a request without an answer.
pub(crate) fn of_http(error: &HttpError) -> HResult {
    match error {
        HttpError::Connect { .. } => HResult::CANNOT_CONNECT,
        HttpError::Broken { .. } | HttpError::TooLong { .. } => HResult::CONNECTION_ERROR,
        HttpError::Timeout { .. } => HResult::TIMEOUT,
    }
}

/// The code for a fault: some faults have codes of their own, the others say only who is to blame.
fn of_fault(fault: &ReceivedFault) -> HResult {
    use sluicegate_soap::fault::ErrorCode;
    match (fault.error_code, fault.code.as_str()) {
        (Some(ErrorCode::InvalidCookie | ErrorCode::ServerChanged), _) => HResult::REFRESH_CACHE_REQUIRED,
        (Some(ErrorCode::FileLocationChanged), _) => HResult::FILE_LOCATIONS_CHANGED,
        (Some(ErrorCode::RegistrationRequired), _) => HResult::REGISTRATION_NOT_SUPPORTED,
        (_, "Server") => HResult::SOAP_SERVER,
        _ => HResult::SOAP_CLIENT,
    }
}
