//! Keeps what administrators look things up in (`Store::catch_up`) near the present, away from requests, so
//! that whoever looks finds little left to read.

use crate::state::App;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often changed computers are looked for.
const EVERY: Duration = Duration::from_secs(2);

/// While a synchronization brings revisions by the thousand, so often; whoever looks meanwhile waits for the rest.
const EVERY_IN_SYNC: Duration = Duration::from_secs(30);

/// After a failure it is tried again so often.
const RETRY: Duration = Duration::from_secs(30);

/// So many computers are read at once; whoever looks at the same time waits that long.
const COMPUTERS: usize = 512;

/// Catches up until told to stop.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        let store = app.store.clone();
        let wait = match tokio::task::spawn_blocking(move || store.catch_up(COMPUTERS)).await {
            Ok(Ok(0)) if app.synchronizer.status().running => EVERY_IN_SYNC,
            Ok(Ok(0)) => EVERY,
            Ok(Ok(_)) => Duration::ZERO,
            Ok(Err(error)) => {
                tracing::warn!(cause = %error, "lists and counts are not up to date");
                RETRY
            }
            Err(error) => {
                tracing::error!(cause = %error, "bringing lists and counts up to date failed");
                RETRY
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}
