//! Files that lay in the content folder before an update declared them: verified when one does, beside everything else.

use crate::state::App;
use sluicegate_store::{Store, StoreError};
use sluicegate_terms::Timestamp;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How often it is looked whether an update declares one now.
const LOOK: Duration = Duration::from_secs(5);

/// Between two files it waits as many times as long as the last one took, within these: there is no hurry.
const REST: u32 = 2;
const LONGEST_REST: Duration = Duration::from_secs(2);

/// Verifies until none is left, or until told to stop. Files are found at the start only.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let stopped = Arc::new(AtomicBool::new(false));
    while app.store.content().has_unverified() {
        let (store, now, ending) = (app.store.clone(), app.clock.now(), Arc::clone(&stopped));
        let work = tokio::task::spawn_blocking(move || verify(&store, now, &ending));
        let verified = tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            verified = work => verified,
        };
        match verified {
            Ok(Ok(0)) => {}
            Ok(Ok(files)) => {
                tracing::info!(files, "files that lay in the content folder were verified, and are held");
                app.watch.files_seen_to();
            }
            Ok(Err(error)) => {
                tracing::error!(cause = %error, "files that lie here cannot be verified; tried again")
            }
            Err(error) => {
                tracing::error!(cause = %error, "files that lie here cannot be verified; tried again")
            }
        }
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            () = tokio::time::sleep(LOOK) => {}
        }
    }
    // The file under way ends.
    stopped.store(true, Ordering::Release);
}

fn verify(store: &Store, now: Timestamp, stopped: &AtomicBool) -> Result<u64, StoreError> {
    let mut since: Option<Instant> = None;
    store.verify_found(now, &mut || {
        if let Some(since) = since {
            std::thread::sleep((since.elapsed() * REST).min(LONGEST_REST));
        }
        since = Some(Instant::now());
        !stopped.load(Ordering::Acquire)
    })
}
