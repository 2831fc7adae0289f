//! The traffic between the directory in memory and the store: a computer is read when it is first heard
//! of, and what was heard is written back every few seconds, away from the requests.

use crate::directory::Known;
use crate::services::Failure;
use crate::state::App;
use crate::{ring, twins};
use sluicegate_store::hierarchy::DownstreamContact;
use sluicegate_store::{Contact, StoreError};
use sluicegate_terms::{ComputerId, Guid};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// How often contacts are written down.
const EVERY: Duration = Duration::from_secs(3);

/// Most contacts of one id that are kept until they are written.
const MOST_OF_ONE: usize = 8;

/// Downstream servers that synchronized and are not written down yet. Of one id the last contact, and those before it
/// under other names: two servers may share it.
#[derive(Debug, Default)]
pub(crate) struct Synchronized(HashMap<Guid, Vec<DownstreamContact>>);

impl Synchronized {
    pub(crate) fn note(&mut self, contact: DownstreamContact) {
        let kept = self.0.entry(contact.id).or_default();
        match kept.last_mut().filter(|last| last.name == contact.name) {
            Some(last) => *last = contact,
            None => kept.push(contact),
        }
        kept.drain(..kept.len().saturating_sub(MOST_OF_ONE));
    }

    /// Takes those of one server out.
    pub(crate) fn take_of(&mut self, server: Guid) -> Vec<DownstreamContact> {
        self.0.remove(&server).unwrap_or_default()
    }

    fn put_back(&mut self, before: Self) {
        let since = std::mem::replace(self, before);
        since.0.into_values().flatten().for_each(|contact| self.note(contact));
    }
}

/// What is known of a computer: from memory, or once from the store.
pub(crate) async fn known(app: &App, id: &ComputerId) -> Result<Known, Failure> {
    if let Some(known) = app.directory.get(id) {
        return Ok(known);
    }
    let (store, wanted) = (app.store.clone(), id.clone());
    let belongs = tokio::task::spawn_blocking(move || store.groups_of(&wanted))
        .await
        .map_err(|error| Failure::Internal(format!("reading a computer's groups failed: {error}")))??;
    let targeting = app.settings.load().targeting.into();
    Ok(app.directory.put(id.clone(), belongs, targeting, &app.store.decisions().groups))
}

/// Reads a computer again, after its groups or registration changed.
pub(crate) async fn reread(app: &App, id: &ComputerId) -> Result<Known, Failure> {
    app.directory.forget(id);
    known(app, id).await
}

/// Takes in what a computer says about itself at the start of a handshake, and answers where it belongs.
pub(crate) async fn introduce(app: &App, contact: Contact) -> Result<Known, Failure> {
    let id = contact.computer.clone();
    let (store, wanted) = (app.store.clone(), id.clone());
    // Noting may write thousands of gathered notes, so it is not for the async workers.
    let belongs = tokio::task::spawn_blocking(move || {
        let before = store.groups_of(&wanted)?;
        store.touch(contact)?;
        let belongs = store.groups_of(&wanted)?;
        // A computer that is registered goes on with its cookie after a crash, and belongs where it said.
        if before.registered && belongs.requested != before.requested {
            store.flush_contacts()?;
        }
        Ok::<_, StoreError>(belongs)
    })
    .await
    .map_err(|error| Failure::Internal(format!("noting a computer failed: {error}")))??;
    let targeting = app.settings.load().targeting.into();
    Ok(app.directory.put(id, belongs, targeting, &app.store.decisions().groups))
}

/// Writes back what was heard until told to stop, and once more then.
pub(crate) async fn run(app: Arc<App>, mut stop: watch::Receiver<bool>) {
    loop {
        let stopping = tokio::select! {
            _ = stop.wait_for(|stopping| *stopping) => true,
            () = tokio::time::sleep(EVERY) => false,
        };
        let writer = Arc::clone(&app);
        match tokio::task::spawn_blocking(move || write_back(&writer)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::warn!(cause = %error, "contacts could not be written; they are kept"),
            Err(error) => tracing::error!(cause = %error, "writing contacts failed"),
        }
        if stopping {
            return;
        }
    }
}

/// Writes down everything heard so far.
pub(crate) fn write_back(app: &App) -> Result<(), StoreError> {
    for (computer, heard) in app.directory.take_heard() {
        if let Some(at) = heard.contact {
            app.store.touch(Contact { synced: false, ..Contact::new(computer.clone(), at) })?;
        }
        if let Some(at) = heard.sync {
            app.store.touch(Contact { synced: true, ..Contact::new(computer, at) })?;
        }
    }
    write_synchronized(app)?;
    app.store.flush_contacts()
}

/// Writes down which servers below synchronized, and what that says of servers with one id and of rings; what cannot be
/// written is kept.
pub(crate) fn write_synchronized(app: &App) -> Result<(), StoreError> {
    let _turn = app.writing_synchronized.lock();
    let heard = std::mem::take(&mut *app.synchronized.lock());
    if heard.0.is_empty() {
        return Ok(());
    }
    for contact in heard.0.values().flatten() {
        if let Err(error) = app.store.record_downstream(contact.clone()) {
            // What is written already says nothing new when it is written again.
            app.synchronized.lock().put_back(heard);
            return Err(error);
        }
    }
    let now = app.clock.now();
    twins::judge(&app.store, now)?;
    ring::judge(&app.store, now)
}
