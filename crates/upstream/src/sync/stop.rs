//! Synchronization: ending a run from outside: somebody cancels it, the server stops, its upstream becomes another, or it does not come
//! forward any more.

use super::{Phase, SyncError};
use sluicegate_terms::Timestamp;
use tokio::sync::watch;

/// Why a run is to end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Reason {
    Cancelled,
    ServerStops,
    UpstreamChanged,
    Stuck { phase: Phase, since: Timestamp },
}

impl From<Reason> for SyncError {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Cancelled => Self::Cancelled,
            Reason::ServerStops => Self::ServerStops,
            Reason::UpstreamChanged => Self::UpstreamChanged,
            Reason::Stuck { phase, since } => Self::Stuck { phase, since },
        }
    }
}

/// Tells when a run is to stop; a probe never is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Option<watch::Receiver<Option<Reason>>>);

impl Stop {
    /// The end that is held by whoever may stop the run, and the run's own.
    pub(crate) fn new() -> (watch::Sender<Option<Reason>>, Self) {
        let (sender, receiver) = watch::channel(None);
        (sender, Self(Some(receiver)))
    }

    /// Comes back when it is to stop.
    pub(crate) async fn asked(&self) -> SyncError {
        if let Some(mut stop) = self.0.clone()
            && let Ok(reason) = stop.wait_for(Option::is_some).await
            && let Some(reason) = *reason
        {
            return reason.into();
        }
        std::future::pending().await
    }

    /// Fails when it is to stop.
    pub(crate) fn check(&self) -> Result<(), SyncError> {
        match self.0.as_ref().and_then(|stop| *stop.borrow()) {
            Some(reason) => Err(reason.into()),
            None => Ok(()),
        }
    }
}
