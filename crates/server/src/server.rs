//! Starting and stopping a server.

use crate::admission::Gate;
use crate::cookie::CookieKey;
use crate::directory::Directory;
use crate::endpoint::Endpoint;
use crate::hierarchy::lineage::Lineage;
use crate::options::ServerOptions;
use crate::random::{NoRandomness, Randomness};
use crate::settings::{SettingError, Settings};
use crate::state::{App, Scratches};
use crate::telemetry::Telemetry;
use crate::transport::listen;
use crate::{
    aside, browsing, checking, cleanup, contacts, found, publisher, self_test, synchronizing, watching,
};
use arc_swap::{ArcSwap, ArcSwapOption};
use parking_lot::Mutex;
use sluicegate_store::{Store, StoreError, StoreOptions};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; is another server running, or the port below 1024?")]
    Listen {
        /// Which address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The data folder cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A stored setting is not valid.
    #[error("the data folder has a setting that is not valid: {0}")]
    Settings(#[from] SettingError),
    /// A file beside the data cannot be written.
    #[error("cannot write {}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// No random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
    /// A task of the start itself failed.
    #[error("opening the data folder failed: {0}")]
    Task(#[from] tokio::task::JoinError),
}

/// An update server.
#[derive(Debug)]
pub struct Server;

/// A server that runs until [`Running::shutdown`]. Dropping it stops the server without waiting.
#[derive(Debug)]
pub struct Running {
    local_addr: SocketAddr,
    store: Store,
    stop: watch::Sender<bool>,
    tasks: Vec<JoinHandle<()>>,
    listen_file: PathBuf,
}

impl Server {
    /// Opens the data folder, listens, and serves in the background of the current tokio runtime. Scans
    /// are answered once the first snapshot is compiled; until then they get 503 with Retry-After.
    ///
    /// # Errors
    /// [`StartError`].
    pub async fn start(options: ServerOptions) -> Result<Running, StartError> {
        let listen = options.listen;
        let data = options.data.clone();
        let listener = TcpListener::bind(listen)
            .await
            .map_err(|source| StartError::Listen { address: listen, source })?;
        let local_addr =
            listener.local_addr().map_err(|source| StartError::Listen { address: listen, source })?;
        let app = Arc::new(App::open(options, local_addr).await?);
        let (store, limits) = (app.store.clone(), Arc::clone(&app.limits));
        let listen_file = data.join("listen");
        write_listen_file(&listen_file, local_addr)?;
        let (stop, stopping) = watch::channel(false);
        let tasks = vec![
            tokio::task::spawn_blocking({
                let stopping = stopping.clone();
                move || aside::run(&stopping)
            }),
            tokio::spawn(publisher::run(Arc::clone(&app), stopping.clone())),
            tokio::spawn(contacts::run(Arc::clone(&app), stopping.clone())),
            tokio::spawn(browsing::run(Arc::clone(&app), stopping.clone())),
            tokio::spawn(cleanup::run(Arc::clone(&app), stopping.clone())),
            tokio::spawn(checking::run(Arc::clone(&app), stopping.clone())),
            tokio::spawn(found::run(Arc::clone(&app), stopping.clone())),
            tokio::spawn(synchronizing::run(Arc::clone(&app), stopping.clone())),
            tokio::spawn(watching::run(Arc::clone(&app), stopping.clone())),
            tokio::spawn(listen::serve(listener, Endpoint(app), limits, stopping)),
        ];
        tracing::info!(address = %local_addr, data = %data.display(), "listening");
        Ok(Running { local_addr, store, stop, tasks, listen_file })
    }
}

impl App {
    /// Opens the data folder for a server that listens at `local_addr`.
    pub(crate) async fn open(options: ServerOptions, local_addr: SocketAddr) -> Result<Self, StartError> {
        let ServerOptions { data, clock, limits, microsoft_update, commit, .. } = options;
        let now = clock.now();
        let random = Randomness::new()?;
        let folder = data.clone();
        let large_in_memory = limits.lists_in_memory;
        let open = StoreOptions { serving: true, large_in_memory, ..StoreOptions::new(now) };
        let store = tokio::task::spawn_blocking(move || Store::open(folder, open)).await??;
        let settings = stored_settings(&store)?;
        let living = store.clone();
        let lives = tokio::task::spawn_blocking(move || living.begin_life()).await??;
        let synced = Arc::new(Notify::new());
        let needs = synchronizing::Needs {
            store: store.clone(),
            clock: Arc::clone(&clock),
            name: machine_name(),
            synced: Arc::clone(&synced),
            document: limits.document,
            microsoft_update,
            random: Randomness::new()?,
        };
        let synchronizer = tokio::task::spawn_blocking(move || synchronizing::start(needs)).await??;
        Ok(Self {
            cookie_key: CookieKey::new(store.cookie_key()).ok_or(NoRandomness)?,
            server_id: store.server_id(),
            lineage: Lineage::new(lives),
            commit,
            clock,
            watch: watching::Watch::new(random.guid()),
            random,
            settings: ArcSwap::from_pointee(settings),
            directory: Directory::default(),
            synchronized: Mutex::default(),
            writing_synchronized: Mutex::default(),
            refused: Mutex::default(),
            published: ArcSwapOption::empty(),
            publisher: Mutex::default(),
            changed: Notify::new(),
            awaited: AtomicU64::new(0),
            synced,
            synchronizer,
            cleaner: cleanup::Cleaner::default(),
            bodies: Gate::new(limits.bodies_in_flight, limits.waiting, limits.wait),
            answers: Gate::new(limits.answers_in_flight, limits.waiting, limits.wait),
            scratches: Scratches::default(),
            telemetry: Telemetry::default(),
            machine_name: machine_name(),
            ip: local_addr.ip(),
            port: local_addr.port(),
            self_update: data.join("self-update"),
            settings_turn: tokio::sync::Mutex::new(()),
            limits: Arc::new(limits),
            store,
        })
    }
}

impl Running {
    /// Where it listens.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// The base URL of a server on this machine.
    #[must_use]
    pub fn base_url(&self) -> String {
        base_url(self.local_addr)
    }

    /// The store it serves from.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Stops accepting, finishes what is under way (at most `Limits::drain_time`), and closes.
    pub async fn shutdown(mut self) {
        let _ = self.stop.send(true);
        for task in std::mem::take(&mut self.tasks) {
            if let Err(error) = task.await {
                tracing::error!(cause = %error, "a task of the server failed");
            }
        }
        tracing::info!("stopped");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.stop.send(true);
        // A stale file would make commands look for a server that is gone. Missing is as good.
        let _ = std::fs::remove_file(&self.listen_file);
    }
}

/// The settings of the data folder. A configuration nobody has changed is as old as the folder.
fn stored_settings(store: &Store) -> Result<Settings, SettingError> {
    let config = store.config();
    Settings::load(|name| config.values.get(name).cloned(), config.changed_at)
}

fn write_listen_file(path: &PathBuf, address: SocketAddr) -> Result<(), StartError> {
    let failed = |source| StartError::File { path: path.clone(), source };
    std::fs::write(path, format!("{}\n", base_url(address))).map_err(failed)
}

fn base_url(address: SocketAddr) -> String {
    let reachable = self_test::own_address(address.ip(), address.port());
    format!("http://{reachable}")
}

/// The machine's name, for shares named after it; `localhost` when the system does not say.
fn machine_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    let plain = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'));
    if plain { name.to_owned() } else { "localhost".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_base_url_is_one_that_can_be_reached() {
        assert_eq!(base_url("0.0.0.0:8530".parse().unwrap()), "http://127.0.0.1:8530");
        assert_eq!(base_url("[::]:8530".parse().unwrap()), "http://[::1]:8530");
        assert_eq!(base_url("192.0.2.7:80".parse().unwrap()), "http://192.0.2.7:80");
    }

    #[test]
    fn a_fresh_configuration_is_as_old_as_the_folder() {
        let dir = tempfile::tempdir().unwrap();
        let noon: sluicegate_terms::Timestamp = "2026-10-04T12:00:00Z".parse().unwrap();
        for later in [0, 500] {
            let store = Store::open(dir.path(), StoreOptions::new(noon.plus_seconds(later))).unwrap();
            assert_eq!(stored_settings(&store).unwrap().config_changed, noon);
        }
    }
}
