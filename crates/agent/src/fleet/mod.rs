//! Agent: the fleet simulator. Thousands of light agents in one process, each with its own identity,
//! cookie and held ids, scanning one server all at once or again and again.
//!
//! A light agent speaks the whole scan protocol but evaluates no rules: a function of (agent, update)
//! decides what is installed, and of a delivered revision only its ids are kept (8 bytes), so that ten
//! thousand of them fit where a few hundred full agents would. Pages that many agents are sent alike are
//! unpacked once.

mod latency;
mod light;
mod statistics;

pub use latency::{Latencies, LatencySummary};
pub use light::{Installed, LightHolder};
pub use statistics::{FleetReport, OperationReport, PhaseReport};

use crate::clock::Clock;
use crate::error::AgentError;
use crate::http::{Address, Pool, PoolOptions};
use crate::profile::Profile;
use crate::random::Random;
use crate::recovery::Patience;
use crate::scan::{ScanPlan, ScanSummary, scan};
use crate::session::{PageMemory, Session, SessionOptions};
use sluicegate_terms::TermError;
use statistics::Phase;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How the fleet behaves.
#[derive(Clone, Debug)]
pub struct FleetOptions {
    /// The server.
    pub server: Address,
    /// How many agents.
    pub agents: usize,
    /// Decides every random choice.
    pub seed: u64,
    /// When agents scan.
    pub mode: Mode,
    /// Who has connections.
    pub connections: Connections,
    /// How long agents put up with a busy server.
    pub patience: Patience,
    /// Longest answer in bytes, uncompressed; bounds the memory of one agent in a call.
    pub longest_answer: usize,
    /// Longest wait for one answer.
    pub answer_timeout: Duration,
}

/// When agents scan.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Mode {
    /// All at once, with empty caches.
    Storm,
    /// First once each, then `rescans` times with what they hold, a think time in between.
    Steady {
        /// Scans per agent that are measured.
        rescans: u32,
        /// Pause before each, give or take half.
        think: Duration,
    },
}

/// Who has connections.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Connections {
    /// Each agent its own, as in life. Takes one file descriptor per agent.
    Own,
    /// All agents share this many; those without one wait their turn.
    Shared(usize),
}

impl FleetOptions {
    /// A storm of so many agents with connections of their own.
    #[must_use]
    pub fn storm(server: Address, agents: usize, seed: u64) -> Self {
        Self {
            server,
            agents,
            seed,
            mode: Mode::Storm,
            connections: Connections::Own,
            // A storm of thousands is worked off in minutes; agents wait for it.
            patience: Patience { refusals: 1_000, ..Patience::default() },
            longest_answer: 64 << 20,
            answer_timeout: Duration::from_secs(300),
        }
    }

    /// A fleet in its daily life.
    #[must_use]
    pub fn steady(server: Address, agents: usize, seed: u64, rescans: u32, think: Duration) -> Self {
        Self { mode: Mode::Steady { rescans, think }, ..Self::storm(server, agents, seed) }
    }
}

/// Runs a fleet to its end. `installed` decides, per agent number and update, what counts as installed.
///
/// # Errors
/// [`TermError`], should a generated identity not be valid; failing scans are no errors but part of the
/// report.
pub async fn run(options: &FleetOptions, installed: Arc<Installed>) -> Result<FleetReport, TermError> {
    let begun = Instant::now();
    let mut random = Random::seeded(options.seed);
    let shared = match options.connections {
        Connections::Own => None,
        Connections::Shared(connections) => Some(pool(options, connections)),
    };
    let memory = Arc::new(PageMemory::default());
    let mut agents = Vec::with_capacity(options.agents);
    for number in 0..options.agents {
        let pool = shared.clone().unwrap_or_else(|| pool(options, 1));
        let mut agent = LightAgent::new(number, pool, options, Arc::clone(&installed), random.fork())?;
        agent.session.share_pages(Arc::clone(&memory));
        agents.push(agent);
    }
    let first = Arc::new(Phase::default());
    let (agents, first_took) = scan_all(agents, &first, 1, None).await;
    let mut report = FleetReport {
        agents: options.agents,
        elapsed: Duration::ZERO,
        first: first.report(first_took),
        rescans: None,
    };
    if let Mode::Steady { rescans, think } = options.mode {
        let phase = Arc::new(Phase::default());
        let (_, took) = scan_all(agents, &phase, rescans, Some(think)).await;
        report.rescans = Some(phase.report(took));
    }
    report.elapsed = begun.elapsed();
    Ok(report)
}

fn pool(options: &FleetOptions, connections: usize) -> Arc<Pool> {
    let bounds = PoolOptions {
        connections,
        connect_timeout: Duration::from_secs(60),
        answer_timeout: options.answer_timeout,
    };
    Arc::new(Pool::new(options.server.clone(), bounds))
}

/// Lets every agent scan `times` times, all at the same time, and waits for the last. Agents come back
/// while they are needed again.
async fn scan_all(
    agents: Vec<LightAgent>,
    phase: &Arc<Phase>,
    times: u32,
    think: Option<Duration>,
) -> (Vec<LightAgent>, Duration) {
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for mut agent in agents {
        let phase = Arc::clone(phase);
        tasks.spawn(async move {
            agent.session.observe(phase.clone());
            for _ in 0..times {
                if let Some(think) = think {
                    tokio::time::sleep(think / 2 + agent.random.span(think)).await;
                }
                let result = agent.scan().await;
                phase.finished(result.as_ref());
            }
            agent
        });
    }
    let mut back = Vec::new();
    while let Some(joined) = tasks.join_next().await {
        match joined {
            Ok(agent) => back.push(agent),
            // Only a defect of the simulator ends a task otherwise; it must not look like success.
            Err(_) => phase.lost(),
        }
    }
    (back, begun.elapsed())
}

/// One agent of a fleet.
struct LightAgent {
    session: Session,
    holder: LightHolder,
    random: Random,
}

impl LightAgent {
    fn new(
        number: usize,
        pool: Arc<Pool>,
        options: &FleetOptions,
        installed: Arc<Installed>,
        mut random: Random,
    ) -> Result<Self, TermError> {
        let mut profile =
            Profile::windows_11(&random.guid().to_string(), &format!("pc-{number:05}.fleet.example"))?;
        // A fleet is never all of one build.
        let builds = [26_200, 26_100, 22_631, 19_045];
        let build = builds.get(usize::try_from(random.below(4)).unwrap_or(0)).copied().unwrap_or(26_200);
        profile.os_version = (10, 0, build);
        profile.sampling_value = u16::try_from(random.below(1000)).unwrap_or(0);
        let session = SessionOptions {
            patience: options.patience,
            longest_answer: options.longest_answer,
            clock: Clock::system(),
        };
        Ok(Self {
            session: Session::new(pool, Arc::new(profile), session, random.fork()),
            holder: LightHolder::new(number, installed),
            random,
        })
    }

    async fn scan(&mut self) -> Result<ScanSummary, AgentError> {
        scan(&mut self.session, &mut self.holder, ScanPlan::default()).await
    }
}
