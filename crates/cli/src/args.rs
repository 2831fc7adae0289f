//! Cli room: what can be typed. Only declarations and their help; the doing is in `commands`.

pub(crate) mod browse;
pub(crate) mod filter_part;
pub(crate) mod hierarchy;

use clap::{Args, Parser, Subcommand, ValueEnum};
use filter_part::FilterPart;
use sluicegate_server::Mirror;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;

/// The commit that the program was built from; empty when nobody knew.
pub(crate) const COMMIT: &str = env!("SLUICEGATE_BUILT_FROM");

/// What `--version` says: the version, the commit, and the schema of the database.
static LONG_VERSION: LazyLock<String> = LazyLock::new(|| {
    let commit = if COMMIT.is_empty() { "not known" } else { COMMIT };
    let schema = sluicegate_store::SCHEMA_VERSION;
    format!("{}\ncommit {commit}\nschema version {schema}", env!("CARGO_PKG_VERSION"))
});

/// An open update server for Windows fleets.
#[derive(Debug, Parser)]
#[command(name = "sluicegate", version, long_version = LONG_VERSION.as_str(), about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Which server a command talks to, and how it answers.
#[derive(Debug, Args)]
pub(crate) struct Target {
    /// Data folder; commands find the running server and its token there. Without it: sluicegate-data in the
    /// working directory, sluicegate-demo for the demo
    #[arg(long, global = true, env = "SLUICEGATE_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// Base URL of the server, for example http://updates.example.net:8530
    #[arg(long, global = true, env = "SLUICEGATE_SERVER", value_name = "URL", conflicts_with = "data")]
    pub(crate) server: Option<String>,
    /// File with the admin token of that server
    #[arg(long, global = true, env = "SLUICEGATE_TOKEN_FILE", value_name = "FILE", requires = "server")]
    pub(crate) token_file: Option<PathBuf>,
    /// Print JSON for programs instead of a table; a failure too, as {"error": …} on standard error
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the update server
    Serve(Serve),
    /// Put update documents into the catalog, or look at what was refused
    #[command(subcommand)]
    Catalog(Catalog),
    /// List and show updates
    #[command(subcommand)]
    Updates(Updates),
    /// Create, rename, delete and list target groups
    #[command(subcommand)]
    Groups(Groups),
    /// Approve updates for target groups
    Approve(Approve),
    /// Approve new updates automatically, by classification and product
    #[command(subcommand)]
    Rules(Rules),
    /// Take approvals of an update back
    Unapprove(Unapprove),
    /// Decline an update: no computer is told of it any more
    Decline(UpdateArg),
    /// List, show and move computers
    #[command(subcommand)]
    Computers(Computers),
    /// A group in a few figures
    #[command(subcommand)]
    Reports(browse::Reports),
    /// Put files of updates into the content store
    #[command(subcommand)]
    Content(Content),
    /// Say where the catalog comes from: Microsoft Update or another server
    #[command(subcommand)]
    Upstream(hierarchy::Upstream),
    /// Synchronize with the upstream: now, by schedule, and what
    #[command(subcommand)]
    Sync(hierarchy::Synchronize),
    /// List the servers that synchronize from this one, and say which may
    #[command(subcommand)]
    Downstream(hierarchy::Downstream),
    /// Write catalog and decisions to a file, for a network that this one cannot reach
    Export(hierarchy::Export),
    /// Take in a file that `export` or `wsusutil export` wrote
    Import(hierarchy::Import),
    /// Filters for updates that are not wanted; cleanup declines them
    #[command(subcommand)]
    Filters(crate::commands::filters::Filters),
    /// Clean up now, or see what cleanup does by itself
    #[command(subcommand)]
    Cleanup(crate::commands::cleanup::Cleanup),
    /// Read and change the server's settings
    #[command(subcommand)]
    Config(Config),
    /// Show what the server is doing
    Status,
    /// Look at everything that can keep the server from synchronizing and serving; name the first thing that fails
    #[command(after_help = crate::commands::diagnose::EXIT_CODES)]
    Diagnose,
    /// Read and verify the log of every decision
    #[command(subcommand)]
    Audit(crate::commands::audit::Audit),
    /// List what an administrator should look at, and say that it was seen
    #[command(subcommand)]
    Alerts(crate::commands::audit::Alerts),
    /// Verify everything that is kept, and repair what has one right answer
    Check(crate::commands::check::Check),
    /// Go back to the database as it was before the last upgrade changed its schema
    Rollback(crate::commands::rollback::Rollback),
    /// Find what belongs to a fault's ID in the logs
    #[command(subcommand)]
    Log(crate::commands::log::Log),
    /// Repair a tree of servers, or the copy of a server
    #[command(subcommand)]
    Repair(crate::commands::repair::Repair),
    /// Read logs of update servers and clients, and name the known problems in them
    Doctor(crate::commands::doctor::Doctor),
    /// Measure this machine: figures are ratios against baselines of the same run
    Bench(Bench),
    /// The baseline server of `bench`
    #[command(hide = true)]
    BenchBare(crate::bench::bare::Bare),
}

/// `serve`
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// Address and port to listen on
    #[arg(long, default_value = "0.0.0.0:8530", value_name = "ADDR:PORT")]
    pub(crate) listen: SocketAddr,
    /// Add a small catalog, groups, approvals and simulated agents, to look around
    #[arg(long)]
    pub(crate) demo: bool,
    /// A private mirror of Microsoft Update, asked where the upstream is microsoft-update (https, or this machine)
    #[arg(long, value_name = "URL", env = "SLUICEGATE_MICROSOFT_UPDATE_MIRROR")]
    pub(crate) microsoft_update_mirror: Option<Mirror>,
    /// How many MiB of the lists that grow with the catalog stand in memory; more of them lie in a file of the data
    /// folder, which the system keeps in its cache as long as it has room
    #[arg(long, default_value_t = 96, value_name = "MIB", env = "SLUICEGATE_LISTS_IN_MEMORY")]
    pub(crate) lists_in_memory: u32,
    /// Log lines as text for people or as JSON for programs
    #[arg(long, value_enum, default_value_t = LogFormat::Text, env = "SLUICEGATE_LOG_FORMAT")]
    pub(crate) log_format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    /// One readable line per event
    Text,
    /// One JSON object per event
    Json,
}

/// `catalog`
#[derive(Debug, Subcommand)]
pub(crate) enum Catalog {
    /// Import update documents: .xml files, folders of them, and metadata exports (.cab, .xml.gz)
    Import {
        /// Files and folders
        #[arg(required = true, value_name = "PATH")]
        paths: Vec<PathBuf>,
    },
    /// List revisions held back, each with its reason
    Quarantine,
    /// List companies, product families, products and classifications, as filters and rules name them
    Categories {
        /// Words that must all be in the title
        #[arg(long)]
        search: Option<String>,
    },
}

/// `updates`
#[derive(Debug, Subcommand)]
pub(crate) enum Updates {
    /// List updates
    List(Box<browse::UpdatesList>),
    /// Show one update with its revisions, relationships, files, approvals and status
    Show(browse::UpdatesShow),
}

/// An update on the command line.
#[derive(Debug, Args)]
pub(crate) struct UpdateArg {
    /// UpdateID, for example 0d5fd62a-4b1c-4a7e-9a2b-6f0d5c3b1a99
    #[arg(value_name = "UPDATEID")]
    pub(crate) update: String,
}

/// `groups`
#[derive(Debug, Subcommand)]
pub(crate) enum Groups {
    /// Create a target group
    Create {
        /// Name of the new group
        name: String,
        /// Group it is placed under
        #[arg(long, default_value = "All Computers")]
        parent: String,
    },
    /// Give a target group another name; its approvals and the computers that were moved into it stay
    Rename {
        /// Group by name or id
        #[arg(value_name = "GROUP")]
        group: String,
        /// Its new name
        name: String,
    },
    /// Delete a target group and every approval for it; its computers are in Unassigned Computers then, unless they are
    /// in another group
    Delete {
        /// Group by name or id
        #[arg(value_name = "GROUP")]
        group: String,
        /// Delete the groups nested in it too
        #[arg(long)]
        nested: bool,
    },
    /// List the target groups
    List,
}

/// `approve`
#[derive(Debug, Args)]
#[command(after_help = "\
Exit codes: 0 everything was approved; 1 something was refused or left out; 2 wrong arguments.")]
pub(crate) struct Approve {
    /// UpdateIDs
    #[arg(value_name = "UPDATEID", required_unless_present = "filter")]
    pub(crate) updates: Vec<String>,
    /// Approve every update that this finds: search=, classification=, product=, approval=; give several to narrow
    /// it down. What is declined is left out unless approval= says otherwise
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) filter: Vec<FilterPart>,
    /// Target group; repeat it for several
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Vec<String>,
    /// Accept the licence terms of the updates first, for all computers
    #[arg(long)]
    pub(crate) accept_eula: bool,
    /// Put the newest revision in service that is held for review
    #[arg(long)]
    pub(crate) new_revision: bool,
    /// What its computers do
    #[arg(long, value_enum, default_value_t = Action::Install)]
    pub(crate) action: Action,
    /// By when, for example 2026-12-01T03:00:00Z
    #[arg(long, value_name = "ISO8601")]
    pub(crate) deadline: Option<String>,
}

/// What an approval asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Action {
    /// Install the update
    Install,
    /// Offer the update to users
    OptionalInstall,
    /// Remove the update
    Uninstall,
    /// Neither, whatever a group above says; takes a decline back
    NotApproved,
}

/// `rules`
#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// List the rules, and what happens when a new revision arrives
    List,
    /// Add a rule; it runs on every update that arrives from then on
    Add {
        /// Do not let it run by itself yet
        #[arg(long)]
        disabled: bool,
        #[command(flatten)]
        terms: RuleTerms,
    },
    /// Change a rule; what is not given stays
    Edit {
        /// Its number
        rule: u32,
        #[command(flatten)]
        terms: RuleTerms,
    },
    /// Remove a rule; what it approved stays approved
    Remove {
        /// Its number
        rule: u32,
    },
    /// Let a rule run on updates that arrive
    Enable {
        /// Its number
        rule: u32,
    },
    /// Keep a rule from running by itself
    Disable {
        /// Its number
        rule: u32,
    },
    /// Run rules on the updates that are here
    Run {
        /// Their numbers; without any, all that are enabled
        rules: Vec<u32>,
    },
    /// Show what a rule would do to the updates that are here
    Preview {
        /// Number of a rule that is there, changed by what else is given; without it, the rule is what is given
        rule: Option<u32>,
        #[command(flatten)]
        terms: RuleTerms,
    },
    /// Say what happens when a new revision arrives
    Options {
        /// Approvals follow to it; otherwise it is held for review
        #[arg(long, action = clap::ArgAction::Set, value_name = "true|false")]
        approvals_follow: Option<bool>,
        /// Updates that it lets expire are declined
        #[arg(long, action = clap::ArgAction::Set, value_name = "true|false")]
        decline_expired: Option<bool>,
    },
}

/// What a rule says.
#[derive(Debug, Args)]
pub(crate) struct RuleTerms {
    /// Its name
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Classification by title or id; repeat it for several, `any` for all
    #[arg(long, value_name = "NAME")]
    pub(crate) classification: Vec<String>,
    /// Product, family or company by title or id; repeat it for several, `any` for all
    #[arg(long, value_name = "NAME")]
    pub(crate) product: Vec<String>,
    /// Target group; repeat it for several
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Vec<String>,
    /// When updates are due: so many days after the approval at a time of day (UTC), or `none`
    #[arg(long, value_name = "DAYS@HH:MM")]
    pub(crate) deadline: Option<String>,
}

/// `unapprove`
#[derive(Debug, Args)]
pub(crate) struct Unapprove {
    #[command(flatten)]
    pub(crate) update: UpdateArg,
    /// Only for this target group; without it, for all
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
}

/// `computers`
#[derive(Debug, Subcommand)]
pub(crate) enum Computers {
    /// List computers
    List(browse::ComputersList),
    /// Show one computer with its inventory and the status of its updates
    Show {
        /// Computer id or DNS name
        id: String,
    },
    /// Move a computer to a target group
    Move {
        /// Computer id or DNS name
        id: String,
        /// Target group
        #[arg(long, value_name = "NAME")]
        group: String,
    },
}

/// `content`
#[derive(Debug, Subcommand)]
pub(crate) enum Content {
    /// Add files; each is kept only if it is exactly a file that some update declares
    Add {
        /// Files
        #[arg(required = true, value_name = "FILE")]
        files: Vec<PathBuf>,
    },
}

/// `config`
#[derive(Debug, Subcommand)]
pub(crate) enum Config {
    /// Show all settings
    Show,
    /// Change one setting
    Set {
        /// Its name, as `config show` lists it
        name: String,
        /// Its new value
        value: String,
    },
}

/// `bench`
#[derive(Debug, Args)]
pub(crate) struct Bench {
    /// Which measurements: all, or some of those `--list` names
    #[arg(default_value = "all")]
    pub(crate) which: Vec<String>,
    /// List the measurements
    #[arg(long)]
    pub(crate) list: bool,
    /// Sizes of the synthetic catalogs, in revisions
    #[arg(long, value_delimiter = ',', default_values_t = [10_000, 100_000, 250_000])]
    pub(crate) sizes: Vec<usize>,
    /// Seconds of load for each measured rate
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Agents in the storm
    #[arg(long, default_value_t = 10_000)]
    pub(crate) agents: usize,
    /// Where the synthetic catalogs are kept between runs
    #[arg(long, default_value = "target/bench", value_name = "DIR")]
    pub(crate) folder: PathBuf,
}
