//! Tests of the simulated computer.

use super::*;
use bytes::Bytes;
use sluicegate_catalog::DriverEntry;
use sluicegate_catalog::applicability::RegistryValue;
use sluicegate_terms::Sha1Digest;

const KEY: &str = "HKEY_LOCAL_MACHINE\\SOFTWARE\\Example";
const RULES: &str = concat!(
    r#"<UpdateIdentity UpdateID="11111111-0000-4000-8000-000000000001" RevisionNumber="1" />"#,
    r#"<Properties UpdateType="Software" /><ApplicabilityRules><IsInstalled>"#,
    r#"<b.RegSzToVersion Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\Example" Value="Version" Comparison="GreaterThanOrEqualTo" Data="2.0.0.0" />"#,
    r#"</IsInstalled><IsInstallable><b.RegValueExists Key="HKEY_LOCAL_MACHINE" Subkey="SOFTWARE\Example" Value="Version" />"#,
    r#"</IsInstallable></ApplicabilityRules>"#
);

/// A computer with version 1 and an update to version 2.
fn machine() -> (SimulatedMachine, CoreFacts, SimulatedRules) {
    let mut facts = SimulatedFacts::workstation(26_200);
    facts.set_value(KEY, "Version", RegistryValue::Text("1.0".to_owned()));
    let machine = SimulatedMachine::new(facts, Vec::new());
    let core = CoreFacts::read(RULES).unwrap();
    let rules = machine.learn(&core, RULES);
    (machine, core, rules)
}

fn file(package: &Package) -> (FileSpec, Contents) {
    let bytes = Bytes::from(package.to_bytes(300));
    let spec = FileSpec {
        name: "a.exe".to_owned(),
        size: bytes.len() as u64,
        sha1: Sha1Digest([0; 20]),
        sha256: None,
    };
    (spec, Contents::Memory(bytes))
}

fn install(
    machine: &mut SimulatedMachine,
    core: &CoreFacts,
    rules: &SimulatedRules,
    ending: Ending,
) -> Outcome {
    let package = Package { ending, ..Package::setting(KEY, &[("Version", "2.0")]) };
    machine.install(core, rules, &ExtendedFacts::default(), &[file(&package)])
}

#[test]
fn installing_changes_what_the_rules_say_and_removing_changes_it_back() {
    let (mut machine, core, rules) = machine();
    assert_eq!(machine.judge(&core, &rules), Verdict::Needed);
    assert_eq!(install(&mut machine, &core, &rules, Ending::Succeeds), Outcome::Succeeded);
    assert_eq!(machine.judge(&core, &rules), Verdict::Installed);
    assert_eq!(machine.uninstall(&core), Outcome::Succeeded);
    assert_eq!(machine.judge(&core, &rules), Verdict::Needed);
    assert!(matches!(machine.uninstall(&core), Outcome::Failed(_)));
}

#[test]
fn what_needs_a_restart_is_there_after_the_restart() {
    let (mut machine, core, rules) = machine();
    assert_eq!(install(&mut machine, &core, &rules, Ending::Restarts), Outcome::RestartRequired);
    assert_eq!(machine.judge(&core, &rules), Verdict::Needed);
    machine.restart();
    assert_eq!(machine.judge(&core, &rules), Verdict::Installed);
}

#[test]
fn failures_change_nothing_and_keep_their_code() {
    let (mut machine, core, rules) = machine();
    let code = HResult(0x8007_0643);
    assert_eq!(install(&mut machine, &core, &rules, Ending::Fails(code)), Outcome::Failed(code));
    machine.fail(core.identity.update, HResult(0x8007_0005));
    assert_eq!(install(&mut machine, &core, &rules, Ending::Succeeds), Outcome::Failed(HResult(0x8007_0005)));
    assert_eq!(machine.judge(&core, &rules), Verdict::Needed);
}

#[test]
fn a_real_installer_is_not_run_but_fails() {
    let (mut machine, core, rules) = machine();
    let (spec, _) = file(&Package::setting(KEY, &[]));
    let outcome = machine.install(
        &core,
        &rules,
        &ExtendedFacts::default(),
        &[(spec, Contents::Memory(Bytes::from_static(b"MZ")))],
    );
    assert_eq!(outcome, Outcome::Failed(HResult::INSTALLER_FAILURE));
    let nothing = machine.install(&core, &rules, &ExtendedFacts::default(), &[]);
    assert_eq!(nothing, Outcome::Failed(HResult::INSTALLER_FAILURE));
}

#[test]
fn a_preinstalled_package_can_be_removed() {
    let (mut machine, core, rules) = machine();
    machine.preinstall(core.identity.update, &Package::setting(KEY, &[("Version", "3.0")]));
    assert_eq!(machine.judge(&core, &rules), Verdict::Installed);
    assert_eq!(machine.uninstall(&core), Outcome::Succeeded);
    assert_eq!(machine.judge(&core, &rules), Verdict::Needed);
}

#[test]
fn a_driver_is_judged_by_the_devices() {
    let device = SimulatedDevice::new(&["USB\\VID_1209&PID_0001"]);
    let mut machine = SimulatedMachine::new(SimulatedFacts::workstation(26_200), vec![device]);
    let core = CoreFacts { kind: UpdateKind::Driver, ..CoreFacts::read(RULES).unwrap() };
    let entry = DriverEntry {
        hardware_id: "usb\\vid_1209&pid_0001".to_owned(),
        ver_version: 5,
        ..DriverEntry::default()
    };
    let mut rules = Rules::default();
    rules.metadata.drivers = vec![entry];
    let rules = Some(rules);
    assert_eq!(machine.judge(&core, &rules), Verdict::Needed);
    machine.install(&core, &rules, &ExtendedFacts::default(), &[]);
    assert_eq!(machine.judge(&core, &rules), Verdict::Installed);
    assert_eq!(machine.devices()[0].installed_driver.as_ref().unwrap().driver_ver_version.0, 5);
}

#[test]
fn unreadable_rules_are_not_applicable() {
    let (machine, core, _) = machine();
    let rules = machine.learn(&core, "<ApplicabilityRules><IsInstalled>");
    assert!(rules.is_none());
    assert_eq!(machine.judge(&core, &rules), Verdict::NotApplicable);
}
