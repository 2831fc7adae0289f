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
        const COMPUTERS: &[output::Column] = &[
            ("All", "/total"),
            ("With failures", "/failed"),
            ("Needing updates", "/needing"),
            ("Up to date", "/up_to_date"),
            ("Never reported", "/no_status"),
        ];
        let below = &report["computers_below"];
        say!("\nComputers{}", if below.is_null() { "" } else { " of this server" });
        output::fields(&report["computers"], COMPUTERS);
        if !below.is_null() {
            say!("\nComputers of replicas below, as they told last");
            output::fields(below, COMPUTERS);
            super::groups::not_counted(below).iter().for_each(|line| say!("{line}"));
        }
        say!("\nUpdates{}", if below.is_null() { "" } else { ", on computers of this server" });
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
