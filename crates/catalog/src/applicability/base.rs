//! Applicability: the base rules, about the system, its registry and its files.

use super::evaluate::Truth;
use super::facts::{Facts, FileFacts, OsVersion, RegistryPath, RegistryValue};
use super::rules::{
    Expression, FilePlace, FileTest, RegistryKey, ScalarComparison, TextComparison, WindowsVersionTest,
};
use crate::Version;

/// The truth of a rule about the system, registry or files.
pub(super) fn truth<F: Facts>(rule: &Expression, facts: &F, loop_target: Option<&str>) -> Truth {
    let value = |key: &RegistryKey, name: &str| facts.registry_value(&full_path(key, loop_target), name);
    match rule {
        Expression::WindowsVersion(test) => facts.os().map(|os| windows_version(test, os)).into(),
        Expression::Platform(id) => facts.platform().map(|platform| platform == *id).into(),
        Expression::WindowsLanguage(language) => match facts.mui_languages() {
            None => Truth::UNKNOWN,
            Some(Some(_)) => Truth::FALSE,
            Some(None) => facts.system_language().map(|system| same_language(&system, language)).into(),
        },
        Expression::MuiInstalled => facts.mui_languages().map(|languages| languages.is_some()).into(),
        Expression::MuiLanguageInstalled(language) => facts
            .mui_languages()
            .map(|all| all.is_some_and(|all| all.iter().any(|one| same_language(one, language))))
            .into(),
        Expression::SystemMetric(comparison, index, value) => {
            facts.system_metric(*index).map(|metric| comparison.holds(&metric, value)).into()
        }
        Expression::Processor { architecture, level, revision } => facts
            .processor()
            .map(|processor| {
                processor.architecture == *architecture
                    && level.is_none_or(|level| level == processor.level)
                    && revision.is_none_or(|revision| revision == processor.revision)
            })
            .into(),
        Expression::NumberOfProcessors(comparison, number) => {
            facts.processor_count().map(|count| comparison.holds(&count, number)).into()
        }
        Expression::File(place, test) => file(place, test, facts, loop_target),
        Expression::RegKeyExists(key) => facts.registry_key(&full_path(key, loop_target)).into(),
        Expression::RegValueExists { key, value: name, kind } => {
            // The default value is always a text (MS-WUSP appendix A, note 42).
            let kind = kind.as_deref().or(name.is_none().then_some("REG_SZ"));
            let found = value(key, name.as_deref().unwrap_or_default());
            let fits = |found: RegistryValue| kind.is_none_or(|kind| found.type_name().eq_ignore_ascii_case(kind));
            found.map(|found| found.is_some_and(fits)).into()
        }
        Expression::RegDword(key, name, comparison, data) => value(key, name)
            .map(|found| matches!(found, Some(RegistryValue::Dword(number)) if comparison.holds(&number, data)))
            .into(),
        Expression::RegText { key, value: name, comparison, data, expand } => value(key, name)
            .map(|found| match found {
                Some(RegistryValue::Text(text)) if !expand => comparison.holds(&text, data),
                Some(RegistryValue::ExpandText(text)) if *expand => comparison.holds(&text, data),
                _ => false,
            })
            .into(),
        Expression::RegSzToVersion(key, name, comparison, data) => value(key, name)
            .map(|found| match found {
                Some(RegistryValue::Text(text)) => {
                    text.parse::<Version>().is_ok_and(|version| comparison.holds(&version, data))
                }
                _ => false,
            })
            .into(),
        Expression::Wuv4 { key, value: name, data, substring } => value(key, name)
            .map(|found| {
                let comparison = if *substring { TextComparison::Contains } else { TextComparison::EqualTo };
                found.and_then(as_text).is_some_and(|text| comparison.holds(&text, data))
            })
            .into(),
        Expression::LicenseValueExists(name) => facts.license_dword(name).map(|found| found.is_some()).into(),
        Expression::LicenseDword(name, comparison, data) => facts
            .license_dword(name)
            .map(|found| found.is_some_and(|number| comparison.holds(&number, data)))
            .into(),
        Expression::WmiQuery { namespace, query } => facts.wmi_any(namespace, query).into(),
        _ => Truth::UNKNOWN,
    }
}

fn as_text(value: RegistryValue) -> Option<String> {
    match value {
        RegistryValue::Text(text) | RegistryValue::ExpandText(text) => Some(text),
        RegistryValue::Dword(number) => Some(number.to_string()),
        _ => None,
    }
}

/// A rule's `en` covers `en-US`.
fn same_language(system: &str, asked: &str) -> bool {
    let (system, asked) = (system.to_ascii_lowercase(), asked.to_ascii_lowercase());
    system == asked || system.strip_prefix(&asked).is_some_and(|rest| rest.starts_with('-'))
}

/// As `VerifyVersionInfo`: major, minor and service pack are one tuple (of those given), the build is
/// compared by itself, and `Comparison` does not apply to the product type (observed).
fn windows_version(test: &WindowsVersionTest, os: OsVersion) -> bool {
    let given = [
        (test.major, os.major),
        (test.minor, os.minor),
        (test.service_pack_major.map(u32::from), u32::from(os.service_pack_major)),
        (test.service_pack_minor.map(u32::from), u32::from(os.service_pack_minor)),
    ];
    let (asked, read): (Vec<u32>, Vec<u32>) =
        given.into_iter().filter_map(|(asked, read)| asked.map(|asked| (asked, read))).unzip();
    let suites = test.suite_mask.is_none_or(|mask| {
        let present = os.suite_mask & mask;
        if test.all_suites { present == mask } else { present != 0 }
    });
    (asked.is_empty() || test.comparison.holds(&read, &asked))
        && test.build.is_none_or(|build| test.comparison.holds(&os.build, &build))
        && test.product_type.is_none_or(|kind| kind == os.product_type)
        && suites
}

/// The path of a key, with the loop's key in place of `HKEY_LOOP_TARGET`.
pub(super) fn full_path(key: &RegistryKey, loop_target: Option<&str>) -> RegistryPath {
    let root = match loop_target {
        Some(target) if key.root.eq_ignore_ascii_case("HKEY_LOOP_TARGET") => target,
        _ => &key.root,
    };
    RegistryPath { path: join(root, &key.subkey), view32: key.view32 }
}

/// Joins with one backslash, whatever the two bring (how real agents join is unverified), and removes
/// repeated ones as they do.
fn join(base: &str, path: &str) -> String {
    let (base, path) = (base.trim_end_matches('\\'), path.trim_matches('\\'));
    // The first two may stand for a network share.
    let (share, rest) =
        if base.starts_with("\\\\") { ("\\", base.trim_start_matches('\\')) } else { ("", base) };
    let parts = rest.split('\\').chain(path.split('\\')).filter(|part| !part.is_empty());
    let joined = parts.collect::<Vec<_>>().join("\\");
    if share.is_empty() { joined } else { format!("\\\\{joined}") }
}

fn file<F: Facts>(place: &FilePlace, test: &FileTest, facts: &F, loop_target: Option<&str>) -> Truth {
    let (folder, path) = match place {
        FilePlace::Path(path) => (Some(Some(String::new())), path),
        FilePlace::Folder { csidl, path } => (facts.known_folder(*csidl), path),
        FilePlace::Registry { key, value, path } => {
            let found = facts.registry_value(&full_path(key, loop_target), value);
            (found.map(|found| found.and_then(|value| value.text().map(str::to_owned))), path)
        }
    };
    match folder {
        None => Truth::UNKNOWN,
        Some(None) => Truth::FALSE,
        Some(Some(folder)) => match facts.file(&join(&folder, path)) {
            None => Truth::UNKNOWN,
            Some(None) => Truth::FALSE,
            Some(Some(found)) => file_test(test, &found).into(),
        },
    }
}

fn file_test(test: &FileTest, found: &FileFacts) -> bool {
    fn holds<T: Ord>(comparison: ScalarComparison, read: Option<&T>, value: &T) -> bool {
        read.is_some_and(|read| comparison.holds(read, value))
    }
    fn exact<T: PartialEq>(asked: Option<&T>, read: Option<&T>) -> bool {
        asked.is_none() || asked == read
    }
    match test {
        FileTest::Exists { version, size, created, modified, language } => {
            exact(version.as_ref(), found.version.as_ref())
                && exact(size.as_ref(), Some(&found.size))
                && exact(created.as_ref(), found.created.as_ref())
                && exact(modified.as_ref(), found.modified.as_ref())
                && exact(language.as_ref(), found.language.as_ref())
        }
        FileTest::Version(comparison, version) => holds(*comparison, found.version.as_ref(), version),
        FileTest::Created(comparison, time) => holds(*comparison, found.created.as_ref(), time),
        FileTest::Modified(comparison, time) => holds(*comparison, found.modified.as_ref(), time),
        FileTest::Size(comparison, size) => holds(*comparison, Some(&found.size), size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_join_with_one_backslash() {
        for (base, path) in [("C:\\A", "b.dll"), ("C:\\A\\", "\\b.dll"), ("C:\\\\A", "b.dll")] {
            assert_eq!(join(base, path), "C:\\A\\b.dll");
        }
        assert_eq!(join("\\\\server\\share\\", "x"), "\\\\server\\share\\x");
        assert_eq!(join("", "C:\\x"), "C:\\x");
    }

    #[test]
    fn languages_match_by_their_beginning() {
        assert!(same_language("en-US", "en"));
        assert!(same_language("en-US", "EN-us"));
        assert!(!same_language("eng", "en"));
    }
}
