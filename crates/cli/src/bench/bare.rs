//! Bench: the baseline. A bare axum handler that reads the request's bytes and returns a copy of
//! ready answer bytes: what any HTTP server on this stack costs before it thinks.

use anyhow::Context as _;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::serve::ListenerExt as _;
use std::path::PathBuf;
use std::sync::Arc;

/// Arguments of the hidden command `bench-bare`.
#[derive(Debug, clap::Args)]
pub(crate) struct Bare {
    /// Folder with the answers: files `0`, `1`, …
    #[arg(long)]
    answers: PathBuf,
    /// File to write the base URL to
    #[arg(long)]
    listen_file: PathBuf,
}

/// Serves until it is killed. The request names its answer in the header `x-answer`.
pub(crate) async fn serve(args: &Bare) -> anyhow::Result<()> {
    let mut answers = Vec::new();
    while let Ok(bytes) = std::fs::read(args.answers.join(answers.len().to_string())) {
        answers.push(bytes);
    }
    let router = Router::new()
        .fallback(answer)
        .with_state(Arc::new(answers))
        .layer(axum::extract::DefaultBodyLimit::max(64 << 20));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let temporary = args.listen_file.with_extension("new");
    std::fs::write(&temporary, format!("http://{}", listener.local_addr()?))
        .context("cannot write the listen file")?;
    std::fs::rename(&temporary, &args.listen_file)?;
    axum::serve(listener.tap_io(|io| drop(io.set_nodelay(true))), router)
        .await
        .context("the baseline server ended")
}

async fn answer(State(answers): State<Arc<Vec<Vec<u8>>>>, headers: HeaderMap, _body: Bytes) -> Vec<u8> {
    let at = headers
        .get("x-answer")
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.parse::<usize>().ok())
        .unwrap_or(0);
    // A clone is the copy of the answer's bytes that the figure is about.
    answers.get(at).cloned().unwrap_or_default()
}
