//! Synchronization: computers and servers in the form of the rollup messages (MS-WSUSSS 3.1.4.14 and 3.1.4.15).
//! A time that never was is 1753-01-01 there.

use serde_json::Value;
use sluicegate_soap::server_reporting::{
    ComputerRollupDetails, ComputerRollupInfo, DownstreamServerRollupClientActivitySummary,
    DownstreamServerRollupClientSummary, DownstreamServerRollupInfo, DownstreamServerRollupServerSummary,
};
use sluicegate_store::hierarchy::{
    ClientSummary, ComputerDetails, RolledComputer, RolledServer, ServerSummary, TellComputer,
};
use sluicegate_terms::{Guid, Timestamp};

/// 1753-01-01, what servers write for "never".
const NEVER_SECONDS: i64 = -6_847_804_800;

pub(super) fn or_never(time: Option<Timestamp>) -> Timestamp {
    time.unwrap_or_else(|| Timestamp::from_unix_seconds(NEVER_SECONDS))
}

/// What an own computer said when it registered, as the server keeps it. What it did not say is empty or zero.
struct Inventory(Value);

impl Inventory {
    fn read(text: Option<&str>) -> Self {
        Self(text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default())
    }

    fn text(&self, name: &str) -> String {
        self.0.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn number(&self, name: &str) -> Option<i32> {
        self.0.get(name).and_then(Value::as_i64).and_then(|n| i32::try_from(n).ok())
    }

    /// Major, minor, build, service pack major and minor.
    fn os_version(&self) -> [i32; 5] {
        let mut os_version = [0; 5];
        let (version, pack) = (self.text("os_version"), self.text("service_pack"));
        let parts = version.splitn(3, '.').chain(pack.splitn(2, '.'));
        // Three parts of the version are there whenever there is any.
        if version.split('.').count() >= 3 {
            for (to, part) in os_version.iter_mut().zip(parts) {
                *to = part.parse().unwrap_or(0);
            }
        }
        os_version
    }

    fn suite_mask(&self) -> i16 {
        self.number("suite_mask").and_then(|n| i16::try_from(n).ok()).unwrap_or(0)
    }

    fn old_product_type(&self) -> u8 {
        self.number("old_product_type").and_then(|n| u8::try_from(n).ok()).unwrap_or(0)
    }
}

/// The kind of an own computer (`DownstreamServerRollupClientSummary`, MS-WSUSSS 3.1.4.14.3.4), without a count.
pub(super) fn own_kind(inventory: Option<&str>) -> ClientSummary {
    let inventory = Inventory::read(inventory);
    let cut = |text: String, most: usize| text.chars().take(most).collect::<String>();
    ClientSummary {
        os_version: inventory.os_version(),
        os_locale: cut(inventory.text("os_locale"), 64),
        suite_mask: inventory.suite_mask(),
        old_product_type: inventory.old_product_type(),
        new_product_type: inventory.number("product_type").unwrap_or(0),
        system_metrics: 0,
        architecture: cut(inventory.text("processor"), 50),
        count: 0,
        activity: Vec::new(),
    }
}

/// What an own computer is, from its inventory and from its contacts.
pub(super) fn own_details(tell: &TellComputer) -> ComputerDetails {
    let own = tell.own.clone().unwrap_or_default();
    let inventory = Inventory::read(tell.inventory.as_deref());
    let text = |name: &str| inventory.text(name);
    ComputerDetails {
        groups: own.groups,
        requested_groups: own.requested,
        ip_address: own.ip,
        full_domain_name: own.dns_name,
        os_version: inventory.os_version(),
        os_locale: text("os_locale"),
        os_family: "Windows".to_owned(),
        os_description: text("os_description"),
        computer_make: text("manufacturer"),
        computer_model: text("model"),
        bios_version: text("bios_version"),
        bios_name: text("bios_name"),
        bios_release_date: text("bios_release_date").parse().unwrap_or_else(|_| or_never(None)),
        processor_architecture: text("processor"),
        suite_mask: inventory.suite_mask(),
        old_product_type: inventory.old_product_type(),
        new_product_type: inventory.number("product_type").unwrap_or(0),
        system_metrics: 0,
        client_version: own.client_version,
    }
}

pub(super) fn computer(computer: &RolledComputer, details: Option<ComputerDetails>) -> ComputerRollupInfo {
    ComputerRollupInfo {
        computer_id: Some(computer.id.to_string()),
        last_sync: or_never(computer.last_sync),
        last_sync_result: i32::from(computer.last_sync_result),
        last_reported_reboot: or_never(computer.last_reboot),
        last_reported_status: or_never(computer.last_status),
        last_inventory: or_never(computer.last_inventory),
        parent: computer.server,
        details: details.map(details_message),
    }
}

fn details_message(d: ComputerDetails) -> ComputerRollupDetails {
    // The longest that the specification permits (MS-WSUSSS 3.1.4.15.3.3).
    let cut = |text: String, most: usize| Some(text.chars().take(most).collect::<String>());
    let [major, minor, build, pack_major, pack_minor] = d.os_version;
    ComputerRollupDetails {
        ip_address: cut(d.ip_address, 64),
        full_domain_name: cut(d.full_domain_name, 255),
        os_major_version: major,
        os_minor_version: minor,
        os_build_number: build,
        os_service_pack_major_number: pack_major,
        os_service_pack_minor_number: pack_minor,
        os_locale: cut(d.os_locale, 64),
        os_family: cut(d.os_family, 256),
        os_description: cut(d.os_description, 256),
        computer_make: cut(d.computer_make, 64),
        computer_model: cut(d.computer_model, 64),
        bios_version: cut(d.bios_version, 64),
        bios_name: cut(d.bios_name, 64),
        bios_release_date: d.bios_release_date,
        processor_architecture: cut(d.processor_architecture, 50),
        suite_mask: i32::from(d.suite_mask),
        old_product_type: d.old_product_type,
        new_product_type: d.new_product_type,
        system_metrics: d.system_metrics,
        client_version: cut(d.client_version, 20),
        target_groups: d.groups,
        requested_groups: d.requested_groups.into_iter().map(|g| g.chars().take(256).collect()).collect(),
    }
}

pub(super) fn server(server: &RolledServer) -> DownstreamServerRollupInfo {
    DownstreamServerRollupInfo {
        server_id: server.id,
        full_domain_name: Some(server.name.clone()),
        last_sync: or_never(server.last_sync),
        parent: server.parent.unwrap_or(Guid::ZERO),
        version: Some(server.version.chars().take(32).collect()),
        is_replica: server.is_replica,
        last_rollup: or_never(server.last_rollup),
        server_summary: Some(summary(&server.summary)),
        client_summaries: server.clients.iter().map(client).collect(),
    }
}

fn summary(s: &ServerSummary) -> DownstreamServerRollupServerSummary {
    DownstreamServerRollupServerSummary {
        updates: s.update_count,
        declined: s.declined_update_count,
        approved: s.approved_update_count,
        not_approved: s.not_approved_update_count,
        stale_approvals: s.updates_with_stale_update_approvals_count,
        expired: s.expired_update_count,
        critical_not_approved: s.critical_or_security_updates_not_approved_for_install_count,
        infrastructure_not_approved: s.wsus_infrastructure_updates_not_approved_for_install_count,
        with_client_errors: s.updates_with_client_errors_count,
        with_server_errors: s.updates_with_server_errors_count,
        needing_files: s.updates_needing_files_count,
        needed: s.updates_needed_by_computers_count,
        up_to_date: s.updates_up_to_date_count,
        custom_groups: s.custom_computer_target_group_count,
        computers: s.computer_target_count,
        computers_needing_updates: s.computer_targets_needing_updates_count,
        computers_with_errors: s.computer_targets_with_update_errors_count,
        computers_up_to_date: s.computers_up_to_date_count,
    }
}

fn client(c: &ClientSummary) -> DownstreamServerRollupClientSummary {
    let [major, minor, build, pack_major, pack_minor] = c.os_version;
    DownstreamServerRollupClientSummary {
        os_major_version: major,
        os_minor_version: minor,
        os_build_number: build,
        os_service_pack_major_number: pack_major,
        os_service_pack_minor_number: pack_minor,
        os_locale: Some(c.os_locale.clone()),
        suite_mask: i32::from(c.suite_mask),
        old_product_type: c.old_product_type,
        new_product_type: c.new_product_type,
        system_metrics: c.system_metrics,
        processor_architecture: Some(c.architecture.clone()),
        count: c.count,
        activity: c
            .activity
            .iter()
            .map(|a| DownstreamServerRollupClientActivitySummary {
                update: a.revision.update,
                revision: i32::try_from(a.revision.revision.get()).unwrap_or(i32::MAX),
                successes: a.succeeded,
                failures: a.failed,
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sluicegate_store::hierarchy::{OwnComputer, Told};

    #[test]
    fn never_is_the_first_day_of_1753() {
        assert_eq!(or_never(None).iso(), "1753-01-01T00:00:00Z");
    }

    #[test]
    fn an_inventory_becomes_details_and_a_missing_one_empty_details() {
        let tell = |inventory: Option<&str>| TellComputer {
            computer: RolledComputer {
                id: "pc-1".parse().unwrap(),
                server: Guid::from_u128(1),
                last_sync: None,
                last_sync_result: 0,
                last_reboot: None,
                last_status: None,
                last_inventory: None,
                details: None,
            },
            inventory: inventory.map(str::to_owned),
            own: Some(OwnComputer { dns_name: "pc-1.example".to_owned(), ..OwnComputer::default() }),
            status: None,
            told: Told::default(),
        };
        let json = r#"{"os_version":"10.0.26200","service_pack":"1.2","model":"M","suite_mask":256,"product_type":48}"#;
        let details = own_details(&tell(Some(json)));
        assert_eq!(details.os_version, [10, 0, 26_200, 1, 2]);
        assert_eq!((details.suite_mask, details.new_product_type), (256, 48));
        assert_eq!(own_details(&tell(Some("no JSON"))).os_version, [0; 5]);
        assert_eq!(own_details(&tell(None)).full_domain_name, "pc-1.example");
    }
}
