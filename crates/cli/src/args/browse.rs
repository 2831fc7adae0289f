//! Cli room: what can be typed to look for updates and computers. The words of the filters are the
//! server's; it says which there are when it gets another.

use clap::{Args, Subcommand};

/// `updates list`
#[derive(Debug, Args)]
pub(crate) struct UpdatesList {
    /// Words that must all be in the title, a KB number, bulletin or CVE name; or an UpdateID
    #[arg(long)]
    pub(crate) search: Option<String>,
    /// approved, unapproved, declined, any-except-declined or any
    #[arg(long, value_name = "FILTER")]
    pub(crate) approval: Option<String>,
    /// Judge the approval by what is in force for this group, its own or inherited
    #[arg(long, value_name = "NAME")]
    pub(crate) approved_for: Option<String>,
    /// failed-or-needed, installed-not-applicable-or-no-status, failed, needed,
    /// installed-or-not-applicable, no-status or any: the state on at least one computer
    #[arg(long, value_name = "FILTER")]
    pub(crate) status: Option<String>,
    /// Count the computers of this group and the groups nested in it
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Under this product, product family or company (title or id)
    #[arg(long)]
    pub(crate) product: Option<String>,
    /// Under this classification (title or id)
    #[arg(long)]
    pub(crate) classification: Option<String>,
    /// critical, important, moderate, low or unspecified; several with commas
    #[arg(long)]
    pub(crate) severity: Option<String>,
    /// A CVE name or security bulletin
    #[arg(long, value_name = "NAME", alias = "bulletin")]
    pub(crate) cve: Option<String>,
    /// A knowledge base article
    #[arg(long, value_name = "NUMBER")]
    pub(crate) kb: Option<String>,
    /// Published at this date or later
    #[arg(long, value_name = "DATE")]
    pub(crate) released_from: Option<String>,
    /// Published at this date or earlier
    #[arg(long, value_name = "DATE")]
    pub(crate) released_to: Option<String>,
    /// Arrived at this date or later
    #[arg(long, value_name = "DATE")]
    pub(crate) arrived_from: Option<String>,
    /// Arrived at this date or earlier
    #[arg(long, value_name = "DATE")]
    pub(crate) arrived_to: Option<String>,
    /// Whether another update supersedes it: yes or no
    #[arg(long, value_name = "YES|NO")]
    pub(crate) superseded: Option<String>,
    /// Whether it supersedes other updates: yes or no
    #[arg(long, value_name = "YES|NO")]
    pub(crate) supersedes: Option<String>,
    /// Whether its licence terms wait to be accepted: yes or no
    #[arg(long, value_name = "YES|NO")]
    pub(crate) needs_licence: Option<String>,
    /// Whether its publisher let it expire: yes or no
    #[arg(long, value_name = "YES|NO")]
    pub(crate) expired: Option<String>,
    /// never, can-request, always or unspecified
    #[arg(long, value_name = "BEHAVIOUR")]
    pub(crate) reboot: Option<String>,
    /// Also categories, detectoids and parts of bundles
    #[arg(long)]
    pub(crate) everything: bool,
    /// released, arrived, title, severity, needed, failed or installed
    #[arg(long, value_name = "COLUMN")]
    pub(crate) sort: Option<String>,
    /// asc or desc
    #[arg(long)]
    pub(crate) order: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// A part of a list.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Page {
    /// How many to list at most
    #[arg(long, default_value_t = 100)]
    pub(crate) limit: u32,
    /// How many to pass over first
    #[arg(long, default_value_t = 0)]
    pub(crate) offset: u32,
}

/// `updates show`
#[derive(Debug, Args)]
pub(crate) struct UpdatesShow {
    /// UpdateID, for example 0d5fd62a-4b1c-4a7e-9a2b-6f0d5c3b1a99
    #[arg(value_name = "UPDATEID")]
    pub(crate) update: String,
    /// List the computers with their state instead
    #[arg(long)]
    pub(crate) computers: bool,
    /// Only computers in these states, as in `updates list`
    #[arg(long, value_name = "FILTER", requires = "computers")]
    pub(crate) status: Option<String>,
    /// Only computers of this group and the groups nested in it
    #[arg(long, value_name = "NAME", requires = "computers")]
    pub(crate) group: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// `computers list`
#[derive(Debug, Args)]
pub(crate) struct ComputersList {
    /// Only computers of this group and the groups nested in it
    #[arg(long, value_name = "NAME")]
    pub(crate) group: Option<String>,
    /// Only computers with an update in these states, as in `updates list`
    #[arg(long, value_name = "FILTER")]
    pub(crate) status: Option<String>,
    /// Part of a name or id
    #[arg(long)]
    pub(crate) search: Option<String>,
    #[command(flatten)]
    pub(crate) page: Page,
}

/// `reports`
#[derive(Debug, Subcommand)]
pub(crate) enum Reports {
    /// Computers and updates of a group by their state
    Summary {
        /// The group, with the groups nested in it; all computers without it
        #[arg(long, value_name = "NAME")]
        group: Option<String>,
    },
}
