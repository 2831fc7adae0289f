//! Who asks: known while a request is answered, so that what it changes is put down to them in the audit log.

use crate::state::App;
use sluicegate_store::Store;
use sluicegate_store::audit::Actor;
use std::future::Future;
use std::net::SocketAddr;

tokio::task_local! {
    static ACTOR: Actor;
}

/// Answers a request of the holder of the token, from an address.
pub(super) async fn asking<T>(name: &str, peer: SocketAddr, answering: impl Future<Output = T>) -> T {
    ACTOR.scope(Actor::administrator(name, &peer.ip().to_string()), answering).await
}

/// The store, with changes put down to whoever asks. Take it before the work goes to another task.
pub(super) fn store(app: &App) -> Store {
    ACTOR.try_with(|actor| app.store.by(actor.clone())).unwrap_or_else(|_| app.store.clone())
}
