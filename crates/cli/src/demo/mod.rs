//! Demo: `serve --demo`. A small catalog, groups and decisions, and a handful of simulated computers that
//! scan, download, install and report for as long as the server runs. It uses the admin API and the
//! protocol and nothing else: whatever it does, anybody can do.

mod catalog;
mod computers;
mod ids;
mod rules;
mod setup;
mod updates;

use crate::admin_client::{AdminClient, percent_encode};
use crate::endpoint::Endpoint;
use anyhow::Context as _;
use catalog::Catalog;
use computers::{COMPUTERS, Computer};
use serde_json::json;
use sluicegate_agent::http::{Address, Pool, PoolOptions};
use sluicegate_agent::session::{Session, SessionOptions};
use sluicegate_agent::simulated::SimulatedMachine;
use sluicegate_agent::{Agent, AgentOptions, Clock, Random};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

/// Scans that follow each other quickly, so that there is something to see at once.
const LIVELY_SCANS: u32 = 5;
/// Pause between those.
const LIVELY_PAUSE: Duration = Duration::from_secs(8);
/// Pause between later scans.
const PAUSE: Duration = Duration::from_secs(40);
/// After so many scans a computer is set up anew, or one day everything would be installed everywhere.
const LIFE: u32 = 30;

/// Prepares the server at `base` and lets the computers live. Ends only with the process, or when the
/// server cannot be prepared, which it says in the log.
pub(crate) async fn run(base: String, token_file: PathBuf) {
    if let Err(error) = live(&base, &token_file).await {
        tracing::error!("the demo cannot go on: {error:#}");
    }
}

async fn live(base: &str, token_file: &PathBuf) -> anyhow::Result<()> {
    let token = tokio::fs::read_to_string(token_file)
        .await
        .with_context(|| format!("cannot read the admin token `{}`", token_file.display()))?;
    let endpoint = Endpoint { base: base.trim_end_matches('/').to_owned(), token: token.trim().to_owned() };
    let client = Arc::new(AdminClient::new(endpoint));
    let clock = Clock::system();
    let catalog = Catalog::build();
    setup::prepare(&client, &catalog, clock.now()).await?;
    tracing::info!(
        documents = catalog.documents.len(),
        files = catalog.files.len(),
        computers = COMPUTERS.len(),
        "the demo is ready; try `sluicegate computers list`, `sluicegate updates list`, `sluicegate status`"
    );
    let server: Address = base.parse()?;
    let mut computers = JoinSet::new();
    for (number, computer) in COMPUTERS.iter().enumerate() {
        let (server, client) = (server.clone(), Arc::clone(&client));
        let mut random = Random::seeded(number as u64);
        computers.spawn(async move {
            tokio::time::sleep(random.span(Duration::from_secs(4))).await;
            loop {
                if let Err(error) = life(computer, &server, &client, &mut random).await {
                    tracing::warn!(computer = computer.name, "demo computer: {error:#}");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        });
    }
    while computers.join_next().await.is_some() {}
    Ok(())
}

/// One life of a computer, from its setup to the next.
async fn life(
    computer: &'static Computer,
    server: &Address,
    client: &AdminClient,
    random: &mut Random,
) -> anyhow::Result<()> {
    let mut agent = agent(computer, server, random)?;
    cycle(computer, &mut agent).await;
    assign(computer, client).await?;
    for scan in 1..LIFE {
        let pause = if scan < LIVELY_SCANS { LIVELY_PAUSE } else { PAUSE };
        tokio::time::sleep(pause / 2 + random.span(pause)).await;
        cycle(computer, &mut agent).await;
    }
    Ok(())
}

fn agent(
    computer: &Computer,
    server: &Address,
    random: &mut Random,
) -> anyhow::Result<Agent<SimulatedMachine>> {
    let pool = Arc::new(Pool::new(server.clone(), PoolOptions::default()));
    let profile = Arc::new(computer.profile()?);
    let session = Session::new(pool, profile, SessionOptions::default(), random.fork());
    Ok(Agent::new(session, computer.machine(), AgentOptions::default(), random.fork()))
}

async fn cycle(computer: &Computer, agent: &mut Agent<SimulatedMachine>) {
    match agent.cycle().await {
        Ok(done) => tracing::debug!(
            computer = computer.name,
            needed = done.needed,
            installed = done.installed,
            succeeded = done.succeeded,
            failed = done.failed,
            "demo computer scanned"
        ),
        // The next scan may find the server in a better mood.
        Err(error) => {
            tracing::warn!(computer = computer.name, code = %error.hresult(), "demo computer: {error}")
        }
    }
}

/// Puts a computer into its group, unless somebody put it elsewhere.
async fn assign(computer: &Computer, client: &AdminClient) -> anyhow::Result<()> {
    let Some(group) = computer.group else { return Ok(()) };
    let path = format!("computers/{}", percent_encode(&computer.id()));
    let known = client.get(&path, &[]).await?;
    let groups = known["groups"].to_string();
    if groups.contains("Unassigned") || groups == "[]" {
        client.post(&format!("{path}/move"), &json!({"group": group})).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
