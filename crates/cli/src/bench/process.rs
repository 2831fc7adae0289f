//! Bench: the measured servers as processes of their own, and what the kernel counts of them.

use anyhow::{Context as _, bail};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A server under measurement; it ends with this value.
pub(crate) struct Server {
    child: Child,
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    /// When the process was started.
    pub(crate) started: Instant,
}

impl Server {
    /// Starts `sluicegate serve` over a data folder and waits for its address.
    pub(crate) async fn sluicegate(data: &Path) -> anyhow::Result<Self> {
        let listen = data.join("listen");
        let _ = std::fs::remove_file(&listen);
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args(["--listen", "127.0.0.1:0"])
            .env("RUST_LOG", "error");
        let server = Self::start(command, &listen).await?;
        // It listens before its first snapshot is compiled, and says so with 503 until then.
        let question = super::load::get("/healthz", &[]);
        while server.started.elapsed() < Duration::from_secs(120) {
            let mut connection = super::load::Connection::open(server.addr).await?;
            if matches!(connection.exchange(&question, None).await, Ok((200, _))) {
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("the server was not healthy after two minutes")
    }

    /// Starts the bare axum handler that answers with the bytes in `answers`, round robin.
    pub(crate) async fn bare(answers: &Path, folder: &Path) -> anyhow::Result<Self> {
        let listen = folder.join("bare-listen");
        let _ = std::fs::remove_file(&listen);
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("bench-bare").arg("--answers").arg(answers).arg("--listen-file").arg(&listen);
        Self::start(command, &listen).await
    }

    /// Starts any server that writes its base URL to `listen`.
    pub(crate) async fn start(mut command: Command, listen: &Path) -> anyhow::Result<Self> {
        let started = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::inherit())
            .spawn()
            .context("cannot start a server")?;
        let mut server = Self { child, addr: SocketAddr::from(([127, 0, 0, 1], 0)), started };
        while started.elapsed() < Duration::from_secs(120) {
            if let Some(status) = server.child.try_wait()? {
                bail!("the server ended at once ({status})");
            }
            if let Ok(text) = std::fs::read_to_string(listen)
                && let Some(port) =
                    text.trim().rsplit(':').next().and_then(|p| p.trim_end_matches('/').parse::<u16>().ok())
            {
                server.addr.set_port(port);
                return Ok(server);
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("the server did not come up in two minutes")
    }

    /// CPU time it has used, user and system.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(&self.child.id().to_string())
    }

    /// Resident memory now and at its highest, in bytes.
    pub(crate) fn memory(&self) -> anyhow::Result<(u64, u64)> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = |name: &str| {
            status
                .lines()
                .find_map(|line| line.strip_prefix(name))
                .and_then(|rest| rest.split_whitespace().next())
                .and_then(|kib| kib.parse::<u64>().ok())
                .unwrap_or(0)
                * 1024
        };
        Ok((field("VmRSS:"), field("VmHWM:")))
    }
}

/// CPU time that a process has used, user and system; `self` is this one.
pub(crate) fn cpu_of(process: &str) -> anyhow::Result<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // Fields after the parenthesised name; utime and stime are the 12th and 13th of them.
    let after = stat.rsplit(')').next().unwrap_or_default();
    let fields: Vec<&str> = after.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|f| f.parse::<u64>().ok()).unwrap_or(0);
    // USER_HZ is 100 on every Linux this runs on.
    Ok(Duration::from_millis((ticks(11) + ticks(12)) * 10))
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
