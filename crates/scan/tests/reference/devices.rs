//! Driver matching, rule by rule (MS-WUSP 3.1.5.7).

use crate::fixture::{Catalog, ask, identity, needs, new_ids, query, record};
use crate::world::{time, uid};
use sluicegate_catalog::{DriverEntry, FeatureScore, ScanRecord};
use sluicegate_policy::ApprovalAction::{Install, Uninstall};
use sluicegate_scan::{
    Device, ExtensionDriver, InstalledDriver, PageBudget, PrinterQuery, ProtocolVersion, Scratch, Snapshot,
    SyncAnswer, SyncQuery,
};
use sluicegate_terms::UpdateKind::{Detectoid, Driver};
use sluicegate_terms::{Anchor, DeploymentAction, GroupId, Guid, Timestamp};

fn entry(hardware_id: &str, day: usize, ver_version: u64) -> DriverEntry {
    DriverEntry {
        hardware_id: hardware_id.to_lowercase(),
        ver_date: time(day),
        ver_version,
        class: "Net".to_owned(),
        manufacturer: "Contoso".to_owned(),
        provider: "Contoso".to_owned(),
        ..DriverEntry::default()
    }
}

/// Drivers with one entry each; revision ids count from 1.
fn drivers(entries: impl IntoIterator<Item = DriverEntry>) -> Catalog {
    let entries = entries.into_iter().enumerate();
    Catalog::default()
        .with(entries.map(|(n, entry)| ScanRecord { drivers: vec![entry], ..record(n, Driver) }))
}

fn device() -> Device<'static> {
    Device {
        hardware_ids: vec!["PCI\\VEN_1&DEV_2", "PCI\\VEN_1"],
        compatible_ids: vec!["PCI\\CC_02"],
        ..Device::default()
    }
}

fn scan_with(snapshot: &Snapshot, devices: &[Device<'_>], change: impl Fn(&mut SyncQuery<'_>)) -> SyncAnswer {
    let mut query = SyncQuery {
        skip_software: true,
        system_spec: devices,
        feature_score_key: Some("AMD64.10.0"),
        ..query()
    };
    change(&mut query);
    ask(snapshot, query)
}

fn scan(catalog: &Catalog, device: &Device<'_>) -> Vec<u32> {
    new_ids(&scan_with(&catalog.snapshot(), core::slice::from_ref(device), |_| {}))
}

#[test]
fn the_earlier_hardware_id_beats_the_newer_driver() {
    let catalog =
        drivers([entry("pci\\cc_02", 9, 9), entry("PCI\\VEN_1&DEV_2", 1, 1), entry("pci\\ven_1", 5, 5)]);
    assert_eq!(scan(&catalog, &device()), [2]);
}

#[test]
fn among_equals_the_newer_date_and_then_the_higher_version_wins() {
    let id = "pci\\ven_1";
    assert_eq!(scan(&drivers([entry(id, 2, 1), entry(id, 1, 9)]), &device()), [1]);
    assert_eq!(scan(&drivers([entry(id, 2, 1), entry(id, 2, 9)]), &device()), [2]);
}

#[test]
fn the_better_feature_score_for_the_key_beats_the_better_hardware_id() {
    let score = |system: &str, score| vec![FeatureScore { operating_system: system.to_owned(), score }];
    let scored = DriverEntry { feature_scores: score("amd64.10.0", 10), ..entry("pci\\cc_02", 1, 1) };
    let foreign = DriverEntry { feature_scores: score("ARM64.10.0", 1), ..entry("pci\\ven_1", 2, 2) };
    assert_eq!(scan(&drivers([scored, foreign]), &device()), [1]);
}

#[test]
fn a_driver_for_this_computer_beats_all_others_and_one_for_other_computers_is_out() {
    let (mine, broader, foreign) = (Guid::from_u128(1), Guid::from_u128(2), Guid::from_u128(3));
    let id = "pci\\ven_1";
    let for_computers =
        |ids: &[Guid], day| DriverEntry { distribution_computer_ids: ids.to_vec(), ..entry(id, day, 1) };
    let catalog = drivers([
        entry("pci\\ven_1&dev_2", 9, 9),
        for_computers(&[broader], 5),
        DriverEntry { target_computer_ids: vec![foreign, mine], ..entry("pci\\cc_02", 1, 1) },
        for_computers(&[foreign], 9),
    ]);
    let snapshot = catalog.snapshot();
    let devices = [device()];
    let answer = |computers: &[Guid]| {
        ask(
            &snapshot,
            SyncQuery {
                skip_software: true,
                system_spec: &devices,
                computer_hardware_ids: computers,
                ..query()
            },
        )
    };
    assert_eq!(new_ids(&answer(&[mine, broader])), [3]);
    assert_eq!(new_ids(&answer(&[broader])), [2]);
    assert_eq!(new_ids(&answer(&[])), [1]);
}

fn installed(matching_id: &'static str, day: usize, ver_version: u64) -> Option<InstalledDriver<'static>> {
    Some(InstalledDriver {
        matching_id: Some(matching_id),
        ver_date: time(day),
        ver_version,
        rank: 0x00FF_0000,
        ..InstalledDriver::default()
    })
}

#[test]
fn only_a_better_driver_than_the_installed_one_is_needed() {
    let catalog = drivers([entry("pci\\ven_1", 3, 3)]);
    let with = |installed| Device { installed, ..device() };
    assert_eq!(scan(&catalog, &with(installed("PCI\\ven_1", 3, 2))), [1]);
    assert_eq!(scan(&catalog, &with(installed("pci\\VEN_1", 3, 3))), [0_u32; 0]);
    assert_eq!(scan(&catalog, &with(installed("PCI\\VEN_1&DEV_2", 1, 1))), [0_u32; 0]);
    assert_eq!(scan(&catalog, &with(installed("PCI\\CC_02", 9, 9))), [1]);
    let better_score =
        installed("PCI\\CC_02", 1, 1).map(|driver| InstalledDriver { rank: 0x0001_0000, ..driver });
    assert_eq!(scan(&catalog, &with(better_score)), [0_u32; 0]);
}

#[test]
fn the_year_1_and_version_0_mean_no_driver() {
    let nothing = InstalledDriver { ver_date: Timestamp::MIN, rank: -1, ..InstalledDriver::default() };
    let catalog = drivers([entry("pci\\cc_02", 1, 1)]);
    assert_eq!(scan(&catalog, &Device { installed: Some(nothing), ..device() }), [1]);
}

#[test]
fn prerequisites_gate_drivers_too() {
    let driver = ScanRecord { drivers: vec![entry("pci\\ven_1", 1, 1)], ..record(1, Driver) };
    let snapshot = Catalog::default().with([record(0, Detectoid), needs(driver, &[0])]).snapshot();
    let devices = [device()];
    let ids = |installed: &[i32]| {
        let pass = SyncQuery {
            skip_software: true,
            system_spec: &devices,
            installed_non_leaf: installed,
            ..query()
        };
        new_ids(&ask(&snapshot, pass))
    };
    assert_eq!((ids(&[]), ids(&[1])), (vec![], vec![2]));
}

#[test]
fn an_approved_driver_is_not_hidden_by_a_newer_one_nobody_approved() {
    let id = "pci\\ven_1";
    let catalog = drivers([entry(id, 1, 1), entry(id, 2, 2)]).approve(0, GroupId::ALL_COMPUTERS, Install);
    let answer = scan_with(&catalog.snapshot(), &[device()], |_| {});
    let actions: Vec<_> = answer.new.iter().map(|new| (new.revision.get(), new.deployment.action)).collect();
    assert_eq!(actions, [(1, DeploymentAction::Install), (2, DeploymentAction::PreDeploymentCheck)]);
    let both = catalog.approve(1, GroupId::ALL_COMPUTERS, Install);
    assert_eq!(scan(&both, &device()), [2]);
}

#[test]
fn a_driver_is_removed_only_where_an_agent_installed_it() {
    let catalog = drivers([entry("pci\\ven_1", 2, 2), entry("pci\\ven_1", 1, 1)]).approve(
        0,
        GroupId::ALL_COMPUTERS,
        Uninstall,
    );
    assert_eq!(scan(&catalog, &device()), [2]);
    let recovery = uid(0).to_string().to_uppercase();
    let device = Device { recovery_ids: vec![&recovery, "nonsense"], ..device() };
    let answer = scan_with(&catalog.snapshot(), &[device], |_| {});
    assert_eq!(new_ids(&answer), [1, 2]);
    assert_eq!(answer.new[0].deployment.action, DeploymentAction::Uninstall);
    assert_eq!(answer.new[0].deployment.hardware_ids, ["pci\\ven_1".into()]);
}

#[test]
fn printers_keep_their_provider_and_manufacturer() {
    let printer = |provider: &str, manufacturer: &str, day| DriverEntry {
        class: "Printer".to_owned(),
        provider: provider.to_owned(),
        manufacturer: manufacturer.to_owned(),
        ..entry("printer_1", day, 1)
    };
    let compatible =
        DriverEntry { compatible_providers: vec!["Contoso".to_owned()], ..printer("Fabrikam", "Contoso", 7) };
    let catalog = drivers([
        printer("contoso", "CONTOSO", 5),
        printer("Fabrikam", "Contoso", 9),
        printer("Contoso", "Other", 8),
    ]);
    let queue = |class: &'static str, skip_provider_filtering| Device {
        hardware_ids: vec!["PRINTER_1"],
        installed: Some(InstalledDriver {
            class: Some(class),
            provider: Some("Contoso"),
            manufacturer: Some("Contoso"),
            skip_provider_filtering,
            ..installed("printer_1", 1, 1).unwrap()
        }),
        flags: 1,
        ..Device::default()
    };
    assert_eq!(scan(&catalog, &queue("Printer", false)), [1]);
    assert_eq!(scan(&catalog, &queue("{4D36E979-E325-11CE-BFC1-08002BE10318}", false)), [1]);
    assert_eq!(scan(&catalog, &queue("Printer", true)), [2]);
    assert_eq!(scan(&catalog, &queue("Net", false)), [2]);
    let mut with_compatible = catalog.clone();
    with_compatible = with_compatible.with([ScanRecord { drivers: vec![compatible], ..record(3, Driver) }]);
    assert_eq!(scan(&with_compatible, &queue("Printer", false)), [4]);
}

#[test]
fn a_print_queue_gets_printer_drivers_only() {
    let catalog = drivers([entry("printer_1", 5, 5)]);
    let queue = |flags| Device {
        hardware_ids: vec!["printer_1"],
        installed: Some(InstalledDriver {
            class: Some("Printer"),
            skip_provider_filtering: true,
            ..installed("printer_1", 1, 1).unwrap()
        }),
        flags,
        ..Device::default()
    };
    assert_eq!(scan(&catalog, &queue(1)), [0_u32; 0]);
    assert_eq!(scan(&catalog, &queue(0)), [1]);
}

#[test]
fn extensions_live_beside_the_base_driver() {
    let extension = |day| DriverEntry { class: "Extension".to_owned(), ..entry("pci\\ven_1", day, 1) };
    let catalog = drivers([entry("pci\\ven_1", 2, 2), extension(3), extension(4)]);
    let base = installed("pci\\ven_1", 9, 9);
    assert_eq!(scan(&catalog, &device()), [1, 3]);
    assert_eq!(scan(&catalog, &Device { installed: base.clone(), ..device() }), [3]);
    let has = ExtensionDriver { ver_date: time(4), ver_version: 1, ..ExtensionDriver::default() };
    let without = drivers([extension(4)]);
    assert_eq!(scan(&without, &Device { installed: base, extensions: vec![has], ..device() }), [0_u32; 0]);
}

#[test]
fn hardware_ids_are_those_of_best_matches_and_from_protocol_1_6_on() {
    let many = ScanRecord {
        drivers: vec![entry("usb\\vid_2", 1, 1), entry("pci\\ven_1", 1, 1), entry("pci\\cc_02", 1, 1)],
        ..record(0, Driver)
    };
    let snapshot = Catalog::default().with([many]).snapshot();
    let usb = Device { hardware_ids: vec!["USB\\VID_2"], ..Device::default() };
    let ids = |minor| {
        let answer = scan_with(&snapshot, &[device(), usb.clone()], |q| {
            q.protocol = ProtocolVersion { major: 1, minor }
        });
        answer.new[0].deployment.hardware_ids.clone()
    };
    assert_eq!(ids(6), ["pci\\ven_1".into(), "usb\\vid_2".into()]);
    assert!(ids(5).is_empty());
}

#[test]
fn cached_drivers_are_compared_with_what_is_needed_now() {
    let catalog = drivers([entry("pci\\ven_1", 1, 1), entry("pci\\ven_1", 2, 2)]);
    let snapshot = catalog.snapshot();
    let answer = scan_with(&snapshot, &[device()], |query| {
        query.cached_drivers = &[1, 2, 2, 99];
        query.seen = Anchor(2);
    });
    assert_eq!((new_ids(&answer), answer.out_of_scope, answer.changed), (vec![], vec![1, 99], vec![]));
}

#[test]
fn the_printer_catalog_lists_printer_drivers() {
    let printer = |id: &str| DriverEntry { class: "Printers".to_owned(), ..entry(id, 1, 1) };
    let catalog = drivers([printer("p1"), entry("p2", 1, 1), printer("p3"), printer("p4")]).decline(2);
    let query = PrinterQuery {
        installed_non_leaf: &[],
        printer_updates: &[4, 3],
        groups: &[],
        seen: Anchor(4),
        protocol: ProtocolVersion { major: 2, minor: 90 },
        budget: PageBudget::default(),
    };
    let answer = catalog.snapshot().sync_printer_catalog(&query, &mut Scratch::new());
    assert_eq!((new_ids(&answer), answer.out_of_scope), (vec![1], vec![3]));
    assert_eq!(answer.new[0].deployment.hardware_ids, ["p1".into()]);
    assert_eq!(identity(0, 100), catalog.revisions[0].record.identity);
}
