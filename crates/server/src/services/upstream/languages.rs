//! The languages that servers tell each other of (`LanguageUpdateList`): ids and names as real servers
//! list them (observed-behaviour 8, exchange 000005).

use sluicegate_policy::hierarchy::Choice;
use sluicegate_soap::server_sync::ServerSyncLanguageData;
use sluicegate_terms::Locale;

/// Id, short and long name.
const LANGUAGES: [(i32, &str, &str); 38] = [
    (1025, "ar", "Arabic"),
    (1026, "bg", "Bulgarian"),
    (1028, "zh-tw", "Chinese (Traditional)"),
    (1029, "cs", "Czech"),
    (1030, "da", "Danish"),
    (1031, "de", "German"),
    (1032, "el", "Greek"),
    (1033, "en", "English"),
    (1034, "es", "Spanish"),
    (1035, "fi", "Finnish"),
    (1036, "fr", "French"),
    (1037, "he", "Hebrew"),
    (1038, "hu", "Hungarian"),
    (1040, "it", "Italian"),
    (1041, "ja", "Japanese"),
    (1042, "ko", "Korean"),
    (1043, "nl", "Dutch"),
    (1044, "no", "Norwegian"),
    (1045, "pl", "Polish"),
    (1046, "pt-br", "Portuguese (Brazil)"),
    (1048, "ro", "Romanian"),
    (1049, "ru", "Russian"),
    (1050, "hr", "Croatian"),
    (1051, "sk", "Slovak"),
    (1053, "sv", "Swedish"),
    (1054, "th", "Thai"),
    (1055, "tr", "Turkish"),
    (1058, "uk", "Ukrainian"),
    (1060, "sl", "Slovenian"),
    (1061, "et", "Estonian"),
    (1062, "lv", "Latvian"),
    (1063, "lt", "Lithuanian"),
    (1081, "hi", "Hindi"),
    (2052, "zh-cn", "Chinese (Simplified)"),
    (2070, "pt", "Portuguese (Portugal)"),
    (2074, "sr", "Serbian (Latin)"),
    (3076, "zh-hk", "Chinese (Hong Kong SAR)"),
    (66577, "ja-nec", "Japanese NEC"),
];

/// The short names.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    LANGUAGES.iter().map(|(_, short, _)| *short)
}

/// The whole list, `all` first, with those enabled that this server takes.
pub(crate) fn list(wanted: &Choice<Locale>) -> Vec<ServerSyncLanguageData> {
    let listed = wanted.listed();
    let language = |id, short: &str, long: &str, enabled| ServerSyncLanguageData {
        language_id: id,
        short_language: Some(short.to_owned()),
        long_language: Some(long.to_owned()),
        enabled,
    };
    let enabled = |short: &str| {
        listed.is_none_or(|wanted| wanted.iter().any(|locale| locale.as_str().eq_ignore_ascii_case(short)))
    };
    let all = language(0, "all", "all", listed.is_none());
    let each = LANGUAGES.iter().map(|(id, short, long)| language(*id, short, long, enabled(short)));
    std::iter::once(all).chain(each).collect()
}

/// A number that is another one when other languages are enabled.
pub(super) fn fingerprint(list: &[ServerSyncLanguageData]) -> u64 {
    list.iter().fold(1, |sum: u64, language| {
        sum.rotate_left(1).wrapping_mul(31).wrapping_add(u64::from(language.enabled))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wanted_languages_are_enabled() {
        let all = list(&Choice::All);
        assert_eq!(all.len(), 39);
        assert!(all.iter().all(|language| language.enabled));
        let some = list(&Choice::Only(["de", "pt-BR"].iter().map(|tag| tag.parse().unwrap()).collect()));
        let enabled: Vec<i32> =
            some.iter().filter(|language| language.enabled).map(|language| language.language_id).collect();
        assert_eq!(enabled, [1031, 1046]);
        assert_ne!(fingerprint(&all), fingerprint(&some));
        let other = list(&Choice::Only(["de", "pt"].iter().map(|tag| tag.parse().unwrap()).collect()));
        assert_ne!(fingerprint(&other), fingerprint(&some));
    }
}
