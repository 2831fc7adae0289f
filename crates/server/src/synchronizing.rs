//! The server's synchronizer: started with the server, told of its clock and name, and heard when it
//! brought something, so that scans see it.

use crate::clock::Clock;
use crate::random::Randomness;
use crate::state::App;
use crate::{cleanup, watching};
use sluicegate_store::{Store, StoreError};
use sluicegate_upstream::sync::{Mirror, Surroundings};
use sluicegate_upstream::{Synchronizer, SynchronizerOptions};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Notify, watch};

/// How long a shutdown waits for a run to stop at its next step.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a synchronizer needs from its server.
pub(crate) struct Needs {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    /// The name upstreams know this server by when the settings give none.
    pub(crate) name: String,
    /// Rung when something came.
    pub(crate) synced: Arc<Notify>,
    /// Largest document, in bytes.
    pub(crate) document: usize,
    /// What is asked in the place of Microsoft Update.
    pub(crate) microsoft_update: Option<Mirror>,
    pub(crate) random: Randomness,
}

/// Starts it. Must be called on a runtime, where blocking is allowed.
pub(crate) fn start(needs: Needs) -> Result<Synchronizer, StoreError> {
    let Needs { store, clock, name, synced, document, microsoft_update, random } = needs;
    let mut around = Surroundings::new(Arc::new(move || clock.now()), name);
    around.changed = Arc::new(move || synced.notify_one());
    around.largest_document = document;
    around.microsoft_update = microsoft_update;
    let random = Arc::new(move || random.below(u64::MAX));
    Synchronizer::start(store, SynchronizerOptions { around, random })
}

/// Passes on what the synchronizer brought until told to stop: computers are placed in groups anew when the
/// upstream changed them, and the publisher is rung.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    let mut before = app.store.decisions();
    let mut filtered = None;
    let mut judged = None;
    loop {
        tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => break,
            () = app.synced.notified() => {}
        }
        let now = app.store.decisions();
        if now.groups != before.groups {
            app.directory.forget_everybody();
        }
        before = now;
        app.changed.notify_one();
        let progress = app.synchronizer.status();
        if !progress.running && progress.run != judged {
            // An end that could not be written is judged again once it is: alerts could not be written either.
            if app.synchronizer.ends_are_written() {
                judged = progress.run;
            }
            watching::after_run(&app).await;
        }
        if !app.synchronizer.status().running {
            let done = tokio::select! {
                _ = stop.wait_for(|stopping| *stopping) => break,
                done = cleanup::filter(&app, filtered.as_ref()) => done,
            };
            filtered = done.or(filtered);
        }
    }
    app.synchronizer.stop();
    // A run that does not stop in time is cut off; the next one goes on from there.
    if tokio::time::timeout(PATIENCE, app.synchronizer.wait()).await.is_err() {
        tracing::warn!("the synchronization under way is cut off; the next one goes on where it was");
    }
}
