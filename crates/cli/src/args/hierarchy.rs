//! Cli room: what can be typed about a server's place in a tree of servers, and about carrying a catalog
//! between networks.

use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// `upstream`
#[derive(Debug, Subcommand)]
pub(crate) enum Upstream {
    /// Say where the catalog comes from; what is not given stays as it is
    Set(Box<UpstreamSet>),
    /// Show where the catalog comes from, and the way there
    Show,
    /// Try to reach the upstream as it is set
    Test,
}

/// `upstream set`
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("change").required(true).multiple(true).args([
    "source", "replica", "autonomous", "proxy", "tls_proxy", "proxy_user", "proxy_password_file", "proxy_ntlm_only",
    "proxy_basic", "ca", "proxy_password_expires", "proxy_bypass", "account_name", "files_from_microsoft",
])))]
pub(crate) struct UpstreamSet {
    /// Address of another update server, `microsoft-update`, or `none`; not given, the one that is set stays
    #[arg(value_name = "URL|microsoft-update")]
    pub(crate) source: Option<String>,
    /// Take over groups and decisions from it too; they cannot be changed here then
    #[arg(long, conflicts_with = "autonomous")]
    pub(crate) replica: bool,
    /// Take over metadata and files only, and decide here
    #[arg(long)]
    pub(crate) autonomous: bool,
    /// Proxy on the way there, http://HOST:PORT, or `none`
    #[arg(long, value_name = "URL")]
    pub(crate) proxy: Option<String>,
    /// Another proxy for https addresses, or `none`
    #[arg(long, value_name = "URL")]
    pub(crate) tls_proxy: Option<String>,
    /// Who asks the proxy: NAME or DOMAIN\NAME, or `none`
    #[arg(long, value_name = "NAME")]
    pub(crate) proxy_user: Option<String>,
    /// File whose first line is that user's password
    #[arg(long, value_name = "FILE")]
    pub(crate) proxy_password_file: Option<PathBuf>,
    /// Never send the password readable: NTLM or nothing
    #[arg(long, conflicts_with = "proxy_basic")]
    pub(crate) proxy_ntlm_only: bool,
    /// Send the password readable to a proxy that does not offer NTLM; so it is at first
    #[arg(long)]
    pub(crate) proxy_basic: bool,
    /// File of PEM certificates to trust besides the system's, on the server's machine, or `none`
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// When that password expires, as 2026-12-31, or `none`; an alert comes two weeks before
    #[arg(long, value_name = "DATE")]
    pub(crate) proxy_password_expires: Option<String>,
    /// Host, domain (.example.net), address (10.1.2.3, 10.1.*, 10.0.0.0/8) or <local> (names without a dot) that is
    /// reached without a proxy; repeat it or write a list with `;` for several, `none` for none
    #[arg(long, value_name = "HOST")]
    pub(crate) proxy_bypass: Vec<String>,
    /// Name by which the upstream knows this server, or `none` for the name of its machine
    #[arg(long, value_name = "NAME")]
    pub(crate) account_name: Option<String>,
    /// Fetch files from Microsoft's addresses, and only metadata from the upstream
    #[arg(long, action = clap::ArgAction::Set, value_name = "true|false")]
    pub(crate) files_from_microsoft: Option<bool>,
    /// Save it without trying it first
    #[arg(long)]
    pub(crate) no_probe: bool,
}

/// `sync`
#[derive(Debug, Subcommand)]
pub(crate) enum Synchronize {
    /// Synchronize with the upstream; joins a synchronization that is under way
    Now {
        /// Show progress and wait for the end; fails when the synchronization does
        #[arg(long)]
        wait: bool,
        /// Also ask again for revisions and files that failed lately and were to wait
        #[arg(long)]
        retry_failed: bool,
        /// Only categories and classifications, to choose with `sync filter set` by their titles what else is fetched
        #[arg(long, conflicts_with = "retry_failed")]
        categories_only: bool,
    },
    /// Show what synchronization is doing, how the last one ended, and when the next begins
    Status,
    /// List the last synchronizations with what they brought
    History {
        /// How many to list at most
        #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
        limit: u32,
    },
    /// Stop the synchronization under way; the next goes on where it was
    Cancel,
    /// List updates that the upstream gave although the filter does not choose them
    Strays,
    /// Show or say when the server synchronizes by itself
    Schedule(Schedule),
    /// Show or say which products, classifications and languages are synchronized
    Filter {
        #[command(subcommand)]
        what: Option<Filter>,
    },
    /// Show or say which files are fetched from the upstream, and when
    Content {
        /// As soon as an update is known, once it is approved, or never
        #[arg(value_enum)]
        when: Option<ContentWhen>,
        /// Also the express forms of files; `--express=false`: no longer. Stays as it is when it is not named
        #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
        express: Option<bool>,
    },
}

/// `sync schedule`
#[derive(Debug, Args)]
pub(crate) struct Schedule {
    /// Only on request
    #[arg(value_parser = ["manual"], conflicts_with_all = ["times", "at"])]
    pub(crate) manual: Option<String>,
    /// How many times a day, evenly spaced: 1 to 24
    #[arg(long, value_name = "N", requires = "at")]
    pub(crate) times: Option<u8>,
    /// The first of them, UTC
    #[arg(long, value_name = "HH:MM", requires = "times")]
    pub(crate) at: Option<String>,
    /// Each begins up to so many minutes later, at random; 30 when it is not said, and less than lie between two
    #[arg(long, value_name = "MINUTES", requires = "times", conflicts_with = "manual")]
    pub(crate) spread: Option<u16>,
    /// A synchronization that does not come forward for so long is ended: 1 to 1440, at first 30
    #[arg(long, value_name = "MINUTES")]
    pub(crate) patience: Option<u16>,
}

/// `sync filter`
#[derive(Debug, Subcommand)]
pub(crate) enum Filter {
    /// Show what is synchronized
    Show,
    /// Say what is synchronized; what is not given stays as it is
    #[command(group(ArgGroup::new("choice").required(true).multiple(true)
        .args(["product", "classification", "language", "exclude", "exclude_nothing"])))]
    Set {
        /// Product, family or company by title or id; repeat it for several, `all` for all. Titles are known after a
        /// first `sync now`, or `sync now --categories-only`
        #[arg(long, value_name = "NAME")]
        product: Vec<String>,
        /// Classification by title or id; repeat it for several, `all` for all
        #[arg(long, value_name = "NAME")]
        classification: Vec<String>,
        /// Language of files, such as en or pt-br; repeat it for several, `all` for all
        #[arg(long, value_name = "TAG")]
        language: Vec<String>,
        /// What is not wanted of that: architecture=arm64, edition=consumer, language=de-de,
        /// "title=*Silverlight*" or preview. It is declined as it comes in. Repeat it for several; they take the
        /// place of those there were (`sluicegate filters` adds and removes single ones)
        #[arg(long, value_name = "FILTER")]
        exclude: Vec<String>,
        /// Nothing is excluded any more; what was declined stays declined
        #[arg(long, conflicts_with = "exclude")]
        exclude_nothing: bool,
        /// Only say what another choice of languages would mean for files; save nothing
        #[arg(long)]
        dry_run: bool,
    },
}

/// `sync content`
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ContentWhen {
    /// As soon as an update is known
    All,
    /// Once an update is approved
    Approved,
    /// Never
    Never,
}

/// `downstream`
#[derive(Debug, Subcommand)]
pub(crate) enum Downstream {
    /// List the servers that synchronize from this one
    List,
    /// List the computers of those servers, or show what one of them needs and has
    Computers {
        /// Computer id, as the list shows it
        id: Option<String>,
        /// Only those of this server, by name or id
        #[arg(long, value_name = "SERVER", conflicts_with = "id")]
        of: Option<String>,
        /// Only those whose name or id contains this
        #[arg(long, value_name = "TEXT", conflicts_with = "id")]
        search: Option<String>,
        /// How many to list at most
        #[arg(long, default_value_t = 100, conflicts_with = "id")]
        limit: u32,
        /// Skip so many
        #[arg(long, default_value_t = 0, conflicts_with = "id")]
        offset: u32,
    },
    /// Let a server synchronize; servers that are not on the list may not, once it has any
    Allow {
        /// Name or id, as `downstream list` shows it
        #[arg(required_unless_present = "all")]
        servers: Vec<String>,
        /// Let every server synchronize again
        #[arg(long, conflicts_with = "servers")]
        all: bool,
    },
    /// Forget a server and the computers it told of; it is listed again when it comes again
    Forget {
        /// Name or id, as `downstream list` shows it
        #[arg(value_name = "NAME|ID")]
        who: String,
    },
    /// Keep a server from synchronizing
    Disallow {
        /// Name or id, as `downstream list` shows it
        #[arg(required = true)]
        servers: Vec<String>,
    },
}

/// `export`
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// File to write: .cab (up to 2 GiB of documents) or .xml.gz; one of this name is replaced
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Also write a log of it to this file, as `wsusutil export` does
    #[arg(value_name = "LOG")]
    pub(crate) log: Option<PathBuf>,
    /// Copy the files of updates into this folder too; those that are there and whole are left alone
    #[arg(long, value_name = "DIR")]
    pub(crate) content: Option<PathBuf>,
    /// Leave out groups, approvals, declines and accepted licence terms
    #[arg(long)]
    pub(crate) no_decisions: bool,
}

/// `import`
#[derive(Debug, Args)]
pub(crate) struct Import {
    /// File that `export` or `wsusutil export` wrote: .cab or .xml.gz
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// Also write a log of it to this file, as `wsusutil import` does
    #[arg(value_name = "LOG")]
    pub(crate) log: Option<PathBuf>,
    /// Take the files that the server lacks from this folder
    #[arg(long, value_name = "DIR")]
    pub(crate) content: Option<PathBuf>,
    /// Leave out groups, approvals, declines and accepted licence terms
    #[arg(long)]
    pub(crate) no_decisions: bool,
}
