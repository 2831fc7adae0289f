//! Cli room: `serve` starts the server, says where it is, and ends it politely on SIGTERM or Ctrl-C.

use crate::args::{LogFormat, Serve, Target};
use crate::{demo, endpoint};
use anyhow::Context as _;
use sluicegate_server::{Server, ServerOptions};
use tracing_subscriber::EnvFilter;

pub(crate) async fn run(target: &Target, args: &Serve) -> anyhow::Result<()> {
    start_log(args.log_format);
    let data = endpoint::data_folder(target, args.demo);
    let running = Server::start(ServerOptions::new(&data, args.listen))
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

fn start_log(format: LogFormat) {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr()));
    match format {
        LogFormat::Text => lines.with_target(false).init(),
        LogFormat::Json => lines.json().flatten_event(true).init(),
    }
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
