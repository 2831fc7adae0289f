//! Cli room: `reports summary`.

use crate::admin_client::AdminClient;
use crate::args::browse::Reports;
use crate::output;
use crate::output::say;

pub(crate) async fn run(client: &AdminClient, args: Reports, json: bool) -> anyhow::Result<()> {
    let Reports::Summary { group } = args;
    let report = client.get("reports/summary", &[("group", group)]).await?;
    output::show(json, &report, |report| {
        output::fields(report, &[("Group", "/group"), ("As of", "/time")]);
        say!("\nComputers");
        output::fields(
            &report["computers"],
            &[
                ("All", "/total"),
                ("With failures", "/failed"),
                ("Needing updates", "/needing"),
                ("Up to date", "/up_to_date"),
                ("Never reported", "/no_status"),
            ],
        );
        say!("\nUpdates");
        output::fields(
            &report["updates"],
            &[
                ("Not declined", "/total"),
                ("Approved", "/approved"),
                ("Unapproved", "/unapproved"),
                ("Declined", "/declined"),
                ("Failed somewhere", "/failed"),
                ("Needed somewhere", "/needed"),
                ("Needed, unapproved", "/needed_unapproved"),
                ("Done everywhere", "/done"),
                ("Without status", "/no_status"),
            ],
        );
        super::updates::footer(report, "updates");
    });
    Ok(())
}
