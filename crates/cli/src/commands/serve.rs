//! Cli room: `serve` starts the server, says where it is, and ends it politely on SIGTERM or Ctrl-C.

use crate::args::{COMMIT, LogFormat, Serve, Target};
use crate::{demo, endpoint};
use anyhow::Context as _;
use sluicegate_server::logging::{DistributionLog, Guard, LogFile, Queue};
use sluicegate_server::{Server, ServerOptions};
use std::path::Path;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::prelude::*;

/// The log becomes an older part at this size, in bytes.
const LOG_BYTES: u64 = 32 << 20;

/// So many older parts are kept.
const LOG_PARTS: u32 = 9;

pub(crate) async fn run(target: &Target, args: &Serve) -> anyhow::Result<()> {
    let data = endpoint::data_folder(target, args.demo);
    let _logs = start_log(args.log_format, &data)?;
    let mut options = ServerOptions::new(&data, args.listen);
    options.microsoft_update.clone_from(&args.microsoft_update_mirror);
    options.limits.lists_in_memory = usize::try_from(args.lists_in_memory)? << 20;
    options.commit = (!COMMIT.is_empty()).then(|| COMMIT.to_owned());
    let running = Server::start(options)
        .await
        .with_context(|| format!("cannot serve from `{}` on {}", data.display(), args.listen))?;
    let address = running.local_addr();
    tracing::info!(data = %data.display(), listen = %address, version = env!("CARGO_PKG_VERSION"), "serving");
    let demo = args.demo.then(|| {
        let base = format!("http://127.0.0.1:{}", address.port());
        tokio::spawn(demo::run(base, data.join("admin-token")))
    });
    wait_for_end().await?;
    tracing::info!("ending: no new connections, requests under way are finished");
    if let Some(demo) = demo {
        demo.abort();
    }
    running.shutdown().await;
    Ok(())
}

/// Logs to standard error and, in the form administrators of WSUS know, to a file in the data folder. Both
/// are written by threads of their own; the guards write what is still queued when they go.
fn start_log(format: LogFormat, data: &Path) -> anyhow::Result<[Guard; 2]> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let file = LogFile::open(data, LOG_BYTES, LOG_PARTS)
        .with_context(|| format!("cannot write the log in `{}`", data.display()))?;
    let (distribution, file_guard) = DistributionLog::start(file).context("cannot start to log")?;
    let gap = |count: u64| format!("{count} log lines were dropped\n");
    let (queue, guard) = Queue::start(std::io::stderr(), gap).context("cannot start to log")?;
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(queue)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    let lines = match format {
        LogFormat::Text => lines.with_target(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    tracing_subscriber::registry().with(lines).with(distribution).with(filter).init();
    Ok([file_guard, guard])
}

async fn wait_for_end() -> anyhow::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for Ctrl-C")?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}
