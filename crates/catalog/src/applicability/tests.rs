use super::*;
use crate::{DriverEntry, Limits, Version};

const HKLM: &str = "HKEY_LOCAL_MACHINE";

fn rules(installed: &str, metadata: &str) -> Rules {
    let core = format!(
        "<UpdateIdentity /><ApplicabilityRules><IsInstalled>{installed}</IsInstalled><Metadata>{metadata}</Metadata></ApplicabilityRules>"
    );
    Rules::from_core(&core, &Limits::default()).unwrap()
}
fn holds(rule: &str, facts: &impl Facts) -> Option<bool> {
    holds_with(rule, "", facts)
}
fn holds_with(rule: &str, metadata: &str, facts: &impl Facts) -> Option<bool> {
    match evaluate(&rules(rule, metadata), facts) {
        Applicability::Installed => Some(true),
        Applicability::NotApplicable => Some(false),
        Applicability::Unknown(_) => None,
        Applicability::Installable => unreachable!("no IsInstallable was given"),
    }
}
fn version(text: &str) -> Version {
    text.parse().unwrap()
}

/// Answers nothing.
struct Silent;
impl Facts for Silent {}

#[test]
fn logic_has_three_values() {
    let unknown = "<b.NoSuchRule />";
    for (rule, expected) in [
        (format!("<And><True />{unknown}</And>"), None),
        (format!("<And>{unknown}<False /></And>"), Some(false)),
        (format!("<Or>{unknown}<True /></Or>"), Some(true)),
        (format!("<Or><False />{unknown}</Or>"), None),
        (format!("<Not>{unknown}</Not>"), None),
        ("<Not><False /></Not>".to_owned(), Some(true)),
        ("<And></And>".to_owned(), Some(true)),
        ("<Or></Or>".to_owned(), Some(false)),
    ] {
        assert_eq!(holds(&rule, &Silent), expected, "{rule}");
    }
}

#[test]
fn unknown_operators_and_unanswered_facts_are_named() {
    let rule = "<And><b.Memory MinSizeInMB=\"4\" Type=\"Physical\" /><b.RegKeyExists Key=\"HKEY_LOCAL_MACHINE\" Subkey=\"A\" /><b.RegDword Key=\"HKEY_LOCAL_MACHINE\" /></And>";
    let names = |facts: &dyn Fn() -> Applicability| match facts() {
        Applicability::Unknown(names) => names,
        other => panic!("{other:?}"),
    };
    assert_eq!(names(&|| evaluate(&rules(rule, ""), &Silent)), ["b.Memory", "b.RegDword", "b.RegKeyExists"]);
    // A simulated computer answers everything but operators nobody knows.
    let computer = SimulatedFacts::workstation(26100);
    let reversed = "<And><b.Memory MinSizeInMB=\"4\" Type=\"Physical\" /></And>";
    assert_eq!(names(&|| evaluate(&rules(reversed, ""), &computer)), ["b.Memory"]);
}

#[test]
fn operators_of_tomorrow_can_be_answered() {
    struct Knows;
    impl Facts for Knows {
        fn other(&self, operator: &str, attributes: &[(String, String)]) -> Option<bool> {
            (operator == "ProductReleaseInstalled").then(|| attributes.contains(&("Name".into(), "X".into())))
        }
    }
    assert_eq!(holds("<ProductReleaseInstalled Name=\"X\" Version=\"1\" />", &Knows), Some(true));
    assert_eq!(holds("<ProductReleaseInstalled Name=\"Y\" Version=\"1\" />", &Knows), Some(false));
    assert_eq!(holds("<ProductReleaseVersion Name=\"X\" />", &Knows), None);
}

#[test]
fn windows_versions_compare_as_tuple_and_build_by_itself() {
    let mut computer = SimulatedFacts::workstation(17763);
    let is = |attributes: &str| holds(&format!("<b.WindowsVersion {attributes} />"), &computer).unwrap();
    assert!(is("MajorVersion=\"10\" MinorVersion=\"0\""), "equality when nothing is said");
    assert!(
        is("Comparison=\"GreaterThanOrEqualTo\" MajorVersion=\"6\" MinorVersion=\"3\""),
        "10.0 is above 6.3"
    );
    assert!(is(
        "Comparison=\"GreaterThanOrEqualTo\" MajorVersion=\"10\" MinorVersion=\"0\" BuildNumber=\"17763\""
    ));
    assert!(
        !is("Comparison=\"LessThan\" MajorVersion=\"10\" MinorVersion=\"0\" BuildNumber=\"20000\""),
        "10.0 is not less than 10.0"
    );
    assert!(
        !is("Comparison=\"GreaterThanOrEqualTo\" MajorVersion=\"6\" MinorVersion=\"0\" ProductType=\"3\""),
        "product types are equal or not"
    );
    assert!(is("Comparison=\"GreaterThan\" MajorVersion=\"6\" MinorVersion=\"3\" ProductType=\"1\""));
    assert!(is("SuiteMask=\"768\""), "any suite");
    assert!(!is("SuiteMask=\"768\" AllSuitesMustBePresent=\"true\""));
    assert!(!is("SuiteMask=\"512\""));
    computer.os.service_pack_major = 1;
    let is = |attributes: &str| holds(&format!("<b.WindowsVersion {attributes} />"), &computer).unwrap();
    assert!(is("Comparison=\"GreaterThan\" MajorVersion=\"10\" MinorVersion=\"0\" ServicePackMajor=\"0\""));
    assert_eq!(holds("<b.WindowsVersion MajorVersion=\"10\" />", &Silent), None);
    assert_eq!(holds("<b.WindowsVersion MajorVersion=\"ten\" />", &computer), None, "unreadable is unknown");
}

#[test]
fn processors_and_languages() {
    let mut computer = SimulatedFacts::workstation(26100);
    assert_eq!(holds("<b.Processor Architecture=\"9\" />", &computer), Some(true));
    assert_eq!(holds("<b.Processor Architecture=\"12\" />", &computer), Some(false));
    assert_eq!(holds("<b.Processor Architecture=\"9\" Level=\"7\" />", &computer), Some(false));
    assert_eq!(
        holds("<b.NumberOfProcessors Comparison=\"GreaterThan\" Number=\"2\" />", &computer),
        Some(true)
    );
    assert_eq!(
        holds("<b.SystemMetric Comparison=\"EqualTo\" Index=\"87\" Value=\"0\" />", &computer),
        Some(true)
    );
    assert_eq!(holds("<b.WindowsLanguage Language=\"en\" />", &computer), Some(true));
    assert_eq!(holds("<b.MuiInstalled />", &computer), Some(false));
    computer.mui_languages = Some(vec!["de-DE".to_owned()]);
    assert_eq!(holds("<b.WindowsLanguage Language=\"en\" />", &computer), Some(false), "never with MUI");
    assert_eq!(holds("<b.MuiLanguageInstalled Language=\"de\" />", &computer), Some(true));
    assert_eq!(holds("<b.Platform PlatformID=\"2\" />", &computer), Some(true));
}

#[test]
fn registry_values_have_types_and_missing_ones_are_false() {
    let mut computer = SimulatedFacts::workstation(26100);
    let key = format!("{HKLM}\\Software\\Maker\\Tool");
    computer.set_value(&key, "", RegistryValue::Text("default".to_owned()));
    computer.set_value(&key, "Level", RegistryValue::Dword(3));
    computer.set_value(&key, "Version", RegistryValue::Text("6.3".to_owned()));
    computer.set_value(&key, "Name", RegistryValue::Text("The Tool".to_owned()));
    computer.set_value(&key, "Path", RegistryValue::ExpandText("C:\\Tool".to_owned()));
    computer.set_value(&key, "Blob", RegistryValue::Binary(vec![1]));
    let is = |name: &str, attributes: &str| {
        let rule = format!("<b.{name} Key=\"{HKLM}\" Subkey=\"SOFTWARE\\maker\\TOOL\" {attributes} />");
        holds(&rule, &computer).unwrap_or_else(|| panic!("{rule}"))
    };
    assert!(is("RegKeyExists", ""));
    assert!(is("RegValueExists", ""), "the default value");
    assert!(is("RegValueExists", "Value=\"Blob\" Type=\"REG_BINARY\""));
    assert!(!is("RegValueExists", "Value=\"Blob\" Type=\"REG_DWORD\""));
    assert!(!is("RegValueExists", "Value=\"Other\""));
    assert!(is("RegDword", "Value=\"level\" Comparison=\"GreaterThanOrEqualTo\" Data=\"3\""));
    assert!(!is("RegDword", "Value=\"Level\" Comparison=\"GreaterThan\" Data=\"3\""));
    assert!(!is("RegDword", "Value=\"Missing\" Comparison=\"LessThan\" Data=\"3\""));
    assert!(!is("RegDword", "Value=\"Name\" Comparison=\"EqualTo\" Data=\"0\""), "another type");
    assert!(is("RegSz", "Value=\"Name\" Comparison=\"BeginsWith\" Data=\"the\""));
    assert!(is("RegSz", "Value=\"Name\" Comparison=\"EndsWith\" Data=\"TOOL\""));
    assert!(is("RegSz", "Value=\"Name\" Comparison=\"Contains\" Data=\"e T\""));
    assert!(!is("RegSz", "Value=\"Name\" Comparison=\"EqualTo\" Data=\"Tool\""));
    assert!(!is("RegSz", "Value=\"Path\" Comparison=\"EqualTo\" Data=\"C:\\Tool\""), "not expandable text");
    assert!(is("RegExpandSz", "Value=\"Path\" Comparison=\"EqualTo\" Data=\"C:\\Tool\""));
    assert!(is("RegSzToVersion", "Value=\"Version\" Comparison=\"EqualTo\" Data=\"6.3.0.0\""));
    assert!(is("RegSzToVersion", "Value=\"Version\" Comparison=\"GreaterThan\" Data=\"6.2.9999\""));
    assert!(!is("RegSzToVersion", "Value=\"Name\" Comparison=\"GreaterThan\" Data=\"0.0\""), "no version");
    assert!(is("WUv4RegKeySubstring", "Value=\"Name\" Data=\"Tool\""));
    assert!(!is("WUv4RegKeyValue", "Value=\"Name\" Data=\"Tool\""));
}

#[test]
fn thirty_two_bit_views_are_elsewhere() {
    let mut computer = SimulatedFacts::workstation(26100);
    computer.set_key(&format!("{HKLM}\\SOFTWARE\\WOW6432Node\\Maker"));
    let rule = |extra: &str| format!("<b.RegKeyExists Key=\"{HKLM}\" Subkey=\"SOFTWARE\\Maker\" {extra}/>");
    assert_eq!(holds(&rule("RegType32=\"true\" "), &computer), Some(true));
    assert_eq!(holds(&rule(""), &computer), Some(false));
}

#[test]
fn loops_look_at_each_subkey() {
    let mut computer = SimulatedFacts::workstation(26100);
    for (name, level) in [("one", 1), ("two", 2)] {
        computer.set_value(&format!("{HKLM}\\Soft\\{name}\\Deep"), "Level", RegistryValue::Dword(level));
    }
    let rule = |kind: &str, subkey: &str, least: u32| {
        format!(
            "<b.RegKeyLoop Key=\"{HKLM}\" Subkey=\"{subkey}\" TrueIf=\"{kind}\"><b.RegDword Key=\"HKEY_LOOP_TARGET\" Subkey=\"Deep\" Value=\"Level\" Comparison=\"GreaterThanOrEqualTo\" Data=\"{least}\" /></b.RegKeyLoop>"
        )
    };
    for (kind, least, expected) in [("Any", 2, true), ("All", 2, false), ("All", 1, true), ("Any", 3, false)]
    {
        assert_eq!(holds(&rule(kind, "Soft", least), &computer), Some(expected), "{kind} {least}");
    }
    assert_eq!(holds(&rule("All", "None", 1), &computer), Some(false));
    assert_eq!(holds(&rule("Any", "Soft", 1), &Silent), None);
}

#[test]
fn files_are_found_by_folder_registry_and_path() {
    let mut computer = SimulatedFacts::workstation(26100);
    computer.set_file("C:\\Windows\\System32\\tool.dll", version("2.5.0.1"));
    computer.set_file_facts(
        "C:\\Tool\\data.bin",
        FileFacts {
            size: 10,
            modified: Some("2026-01-01".parse().unwrap()),
            language: Some(1033),
            ..FileFacts::default()
        },
    );
    computer.set_value(&format!("{HKLM}\\Soft"), "Dir", RegistryValue::Text("c:\\tool\\".to_owned()));
    let at = format!("Key=\"{HKLM}\" Subkey=\"Soft\" Value=\"Dir\"");
    for (rule, expected) in [
        ("<b.FileExists Csidl=\"37\" Path=\"tool.dll\" />".to_owned(), true),
        ("<b.FileExists Csidl=\"37\" Path=\"\\\\TOOL.dll\" Version=\"2.5.0.1\" />".to_owned(), true),
        ("<b.FileExists Csidl=\"37\" Path=\"tool.dll\" Version=\"2.5\" />".to_owned(), false),
        ("<b.FileExists Csidl=\"99\" Path=\"tool.dll\" />".to_owned(), false),
        ("<b.FileExists Path=\"C:\\Tool\\data.bin\" Size=\"10\" Language=\"1033\" />".to_owned(), true),
        ("<b.FileVersion Csidl=\"37\" Path=\"tool.dll\" Comparison=\"GreaterThanOrEqualTo\" Version=\"2.5\" />".to_owned(), true),
        ("<b.FileVersion Csidl=\"37\" Path=\"tool.dll\" Comparison=\"LessThan\" Version=\"2.10\" />".to_owned(), true),
        ("<b.FileVersion Csidl=\"37\" Path=\"none.dll\" Comparison=\"LessThan\" Version=\"2.10\" />".to_owned(), false),
        (format!("<b.FileExistsPrependRegSz {at} Path=\"data.bin\" />"), true),
        (format!("<b.FileSizePrependRegSz {at} Path=\"data.bin\" Comparison=\"LessThan\" Size=\"11\" />"), true),
        (format!("<b.FileVersionPrependRegSz {at} Path=\"data.bin\" Comparison=\"GreaterThan\" Version=\"0.0.0.0\" />"), false),
        (format!("<b.FileModifiedPrependRegSz {at} Path=\"data.bin\" Comparison=\"LessThan\" Modified=\"2026-01-02\" />"), true),
        (format!("<b.FileCreatedPrependRegSz {at} Path=\"data.bin\" Comparison=\"LessThan\" Created=\"2026-01-02\" />"), false),
        (format!("<b.FileExistsPrependRegSz Key=\"{HKLM}\" Subkey=\"None\" Value=\"Dir\" Path=\"data.bin\" />"), false),
    ] {
        assert_eq!(holds(&rule, &computer), Some(expected), "{rule}");
    }
    assert_eq!(holds("<b.FileExists Path=\"C:\\x\" />", &Silent), None);
}

#[test]
fn licences_queries_and_attributes() {
    let mut computer = SimulatedFacts::workstation(26100);
    computer.licenses.insert("Feature-X".to_owned(), 1);
    computer.wmi.push("SELECT * FROM Win32_Thing".to_owned());
    computer.attributes.insert("OSVersion".to_owned(), "10.0.26100.1".to_owned());
    for (rule, expected) in [
        ("<b.LicenseDword Value=\"Feature-X\" Comparison=\"EqualTo\" Data=\"1\" />", Some(true)),
        ("<b.LicenseDword Value=\"Feature-Y\" Comparison=\"EqualTo\" Data=\"0\" />", Some(false)),
        ("<b.LicenseValueExists Value=\"Feature-X\" />", Some(true)),
        ("<b.WmiQuery WqlQuery=\"SELECT * FROM Win32_Thing\" />", Some(true)),
        ("<b.WmiQuery WqlQuery=\"SELECT * FROM Win32_Other\" />", Some(false)),
        (
            "<DeviceAttribute Name=\"OSVersion\" Type=\"Version\" Comparison=\"GreaterThanOrEqualTo\" Value=\"10.0.22000\" />",
            Some(true),
        ),
        (
            "<DeviceAttribute Name=\"OSVersion\" Type=\"String\" Comparison=\"BeginsWith\" Value=\"10.0.2\" />",
            Some(true),
        ),
        ("<DeviceAttribute Name=\"None\" Type=\"String\" Comparison=\"EqualTo\" Value=\"\" />", Some(false)),
        ("<DeviceAttribute Something=\"else\" />", None),
    ] {
        assert_eq!(holds(rule, &computer), expected, "{rule}");
    }
}

fn product() -> MsiProductFacts {
    let patches = [("{00000000-0000-0000-0000-00000000000A}".to_owned(), MsiPatchState::Applied)];
    MsiProductFacts {
        version: version("15.0.4569"),
        language: 1033,
        features: vec!["Main".to_owned(), "Extra".to_owned()],
        components: vec!["{00000000-0000-0000-0000-00000000000C}".to_owned()],
        patches: patches.into_iter().collect(),
    }
}

#[test]
fn products_have_bounds_features_and_patches() {
    let code = "{90150000-0011-0000-0000-0000000ff1ce}";
    let mut computer = SimulatedFacts::workstation(26100);
    computer.set_product(code, product());
    let is = |extra: &str| {
        holds(&format!("<m.MsiProductInstalled ProductCode=\"{code}\" {extra} />"), &computer).unwrap()
    };
    assert!(is(""));
    assert!(is("VersionMin=\"15.0.4569\" VersionMax=\"15.0.4569\""), "bounds are inside");
    assert!(!is("VersionMin=\"15.0.4569\" ExcludeVersionMin=\"true\""));
    assert!(!is("VersionMax=\"15.0.4569\" ExcludeVersionMax=\"true\""));
    assert!(is("ExcludeVersionMax=\"true\""), "an exclusion without its bound means nothing");
    assert!(!is("Language=\"1031\""));
    let parts = |all: &str| {
        format!(
            "<m.MsiFeatureInstalledForProduct AllFeaturesRequired=\"{all}\"><m.Feature>Main</m.Feature><m.Feature>Absent</m.Feature><m.Product>{code}</m.Product><m.Product>{{1}}</m.Product></m.MsiFeatureInstalledForProduct>"
        )
    };
    assert_eq!(holds(&parts("false"), &computer), Some(true));
    assert_eq!(holds(&parts("true"), &computer), Some(false));
    let everywhere = parts("false").replace("AllFeaturesRequired", "AllProductsRequired=\"true\" X");
    assert_eq!(holds(&everywhere, &computer), Some(false));
    let component = format!(
        "<m.MsiComponentInstalledForProduct><m.Component>00000000-0000-0000-0000-00000000000c</m.Component><m.Product>{code}</m.Product></m.MsiComponentInstalledForProduct>"
    );
    assert_eq!(holds(&component, &computer), Some(true));
    let patch = |patch: &str| {
        format!("<m.MsiPatchInstalledForProduct PatchCode=\"{patch}\" ProductCode=\"{code}\" />")
    };
    assert_eq!(holds(&patch("{00000000-0000-0000-0000-00000000000a}"), &computer), Some(true));
    assert_eq!(holds(&patch("{00000000-0000-0000-0000-00000000000b}"), &computer), Some(false));
}

#[test]
fn rules_without_attributes_are_about_the_metadata() {
    let code = "{90150000-0011-0000-0000-0000000FF1CE}";
    let mut computer = SimulatedFacts::workstation(26100);
    let application =
        format!("<m.MsiApplicationMetadata><m.ProductCode>{code}</m.ProductCode></m.MsiApplicationMetadata>");
    assert_eq!(holds_with("<m.MsiApplicationInstalled />", &application, &computer), Some(false));
    assert_eq!(holds_with("<m.MsiApplicationInstallable />", &application, &computer), Some(true));
    assert_eq!(holds_with("<m.MsiApplicationInstalled />", "", &computer), None, "nothing to be about");
    computer.set_product(code, product());
    assert_eq!(holds_with("<m.MsiApplicationInstalled />", &application, &computer), Some(true));

    let patch = |guid: &str, target: &str, kind: &str| {
        format!(
            "<m.MsiPatchMetadata><MsiPatch xmlns=\"http://www.microsoft.com/msi/patch_applicability.xsd\" PatchGUID=\"{guid}\"><TargetProduct><TargetProductCode Validate=\"true\">{code}</TargetProductCode><TargetVersion Validate=\"true\" ComparisonType=\"{kind}\" ComparisonFilter=\"MajorMinor\">{target}</TargetVersion></TargetProduct></MsiPatch></m.MsiPatchMetadata>"
        )
    };
    let present = "{00000000-0000-0000-0000-00000000000A}";
    let absent = "{00000000-0000-0000-0000-0000000000FF}";
    for (rule, metadata, expected) in [
        ("<m.MsiPatchInstalled />", patch(present, "15.0.1", "Equal"), true),
        ("<m.MsiPatchInstallable />", patch(present, "15.0.1", "Equal"), false),
        ("<m.MsiPatchInstalled />", patch(absent, "15.0.1", "Equal"), false),
        ("<m.MsiPatchInstallable />", patch(absent, "15.0.1", "Equal"), true),
        ("<m.MsiPatchInstallable />", patch(absent, "16.0.0", "Equal"), false),
        ("<m.MsiPatchInstallable />", patch(absent, "16.0.0", "LessThan"), true),
        ("<m.MsiPatchSuperseded />", patch(present, "15.0.1", "Equal"), false),
    ] {
        assert_eq!(holds_with(rule, &metadata, &computer), Some(expected), "{rule} {metadata}");
    }

    let package = "<CbsPackageApplicabilityMetadata><assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\"><assemblyIdentity name=\"Package_for_X\" version=\"1.2.3.4\" language=\"neutral\" processorArchitecture=\"amd64\" publicKeyToken=\"31bf\" /><package><parent><assemblyIdentity name=\"Parent\" /></parent></package></assembly></CbsPackageApplicabilityMetadata>";
    computer.set_package("Package_for_X~31bf~amd64~~1.2.3.4", CbsState::Installable);
    assert_eq!(holds_with("<CbsPackageInstalled />", package, &computer), Some(false));
    assert_eq!(holds_with("<CbsPackageInstallable />", package, &computer), Some(true));
    computer.set_package("package_for_x~31bf~amd64~~1.2.3.4", CbsState::Installed);
    assert_eq!(holds_with("<CbsPackageInstalled />", package, &computer), Some(true));
    assert_eq!(
        holds(
            "<CbsPackageInstalledByIdentity PackageIdentity=\"Package_for_X~31bf~amd64~~1.2.3.4\" />",
            &computer
        ),
        Some(true)
    );
    assert_eq!(holds("<CbsPackageInstalled />", &computer), None);
}

#[test]
fn drivers_stand_by_their_best_device() {
    let entry = |id: &str| DriverEntry { hardware_id: id.to_owned(), ..DriverEntry::default() };
    let document = crate::compose::Document::driver(
        Default::default(),
        "Driver",
        vec![entry("pci\\one"), entry("pci\\two")],
    );
    let core = crate::parse(document.to_xml().as_bytes(), &Limits::default()).unwrap().fragments.core;
    let rules = Rules::from_core(&core, &Limits::default()).unwrap();
    assert_eq!(rules.metadata.drivers.len(), 2);
    let mut computer = SimulatedFacts::workstation(26100);
    assert_eq!(evaluate(&rules, &computer), Applicability::NotApplicable);
    computer.drivers.insert("pci\\two".to_owned(), DriverStanding::Superseded);
    assert_eq!(evaluate(&rules, &computer), Applicability::NotApplicable);
    computer.drivers.insert("pci\\two".to_owned(), DriverStanding::Installed);
    assert_eq!(evaluate(&rules, &computer), Applicability::Installed);
    computer.drivers.insert("pci\\one".to_owned(), DriverStanding::Installable);
    assert_eq!(evaluate(&rules, &computer), Applicability::Installable);
    assert!(matches!(evaluate(&rules, &Silent), Applicability::Unknown(_)));
}

#[test]
fn the_order_is_installed_superseded_installable() {
    let rules = |installed: &str, superseded: &str, installable: &str| {
        let core = format!(
            "<ApplicabilityRules><IsInstalled><{installed} /></IsInstalled><IsSuperseded><{superseded} /></IsSuperseded><IsInstallable><{installable} /></IsInstallable></ApplicabilityRules>"
        );
        evaluate(&Rules::from_core(&core, &Limits::default()).unwrap(), &Silent)
    };
    assert_eq!(rules("True", "True", "True"), Applicability::Installed);
    assert_eq!(rules("False", "True", "True"), Applicability::NotApplicable);
    assert_eq!(
        rules("False", "Strange", "True"),
        Applicability::Installable,
        "only definite supersedence hides"
    );
    assert_eq!(rules("False", "False", "False"), Applicability::NotApplicable);
    assert_eq!(rules("Strange", "False", "True"), Applicability::Unknown(vec!["Strange".to_owned()]));
}

#[test]
fn bundles_are_judged_by_their_members() {
    use Applicability::{Installable, Installed, NotApplicable, Unknown};
    let unknown = || Unknown(vec!["x".to_owned()]);
    for (clauses, expected) in [
        (vec![], NotApplicable),
        (vec![vec![Installed, NotApplicable]], Installed),
        (vec![vec![Installed, Installable]], Installable),
        (vec![vec![Installed], vec![Installable]], Installable),
        (vec![vec![Installed], vec![NotApplicable]], NotApplicable),
        (vec![vec![unknown()], vec![NotApplicable]], NotApplicable),
        (vec![vec![unknown(), Installed]], unknown()),
        (vec![vec![unknown(), Installable]], Installable),
    ] {
        assert_eq!(evaluate_bundle(&clauses), expected, "{clauses:?}");
    }
}

#[test]
fn hostile_rules_are_refused_or_unknown_but_never_a_panic() {
    let deep = "<Not>".repeat(400) + &"</Not>".repeat(400);
    let core = format!("<ApplicabilityRules><IsInstalled>{deep}</IsInstalled></ApplicabilityRules>");
    assert!(Rules::from_core(&core, &Limits::default()).is_err());
    for core in [
        "<ApplicabilityRules><IsInstalled>",
        "<!DOCTYPE x><a/>",
        "text",
        "<ApplicabilityRules><Metadata><d.WindowsDriverMetaData /></Metadata></ApplicabilityRules>",
    ] {
        assert!(Rules::from_core(core, &Limits::default()).is_err(), "{core}");
    }
    assert!(Rules::from_core("", &Limits::default()).unwrap().is_empty());
    assert_eq!(holds("<Not />", &Silent), None);
}
