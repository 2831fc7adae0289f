//! The settings an administrator can change while the server runs. Each is one name and one text in the
//! store; here they have types, and here is which change clients must be told of.

use serde::{Deserialize, Serialize};
use sluicegate_terms::Timestamp;
use std::str::FromStr;

/// Who says which groups a computer is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Targeting {
    /// The administrator, here.
    Server,
    /// The computer, by the group names its policy sets.
    Client,
}

impl From<Targeting> for sluicegate_store::Targeting {
    fn from(targeting: Targeting) -> Self {
        match targeting {
            Targeting::Server => Self::Server,
            Targeting::Client => Self::Client,
        }
    }
}

/// Where clients fetch files from when not from the server they scan against: an absolute `http` or
/// `https` URL, without a slash at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct ContentBase(String);

impl ContentBase {
    /// The URL, without a slash at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<ContentBase> for String {
    fn from(base: ContentBase) -> Self {
        base.0
    }
}

impl TryFrom<String> for ContentBase {
    type Error = SettingError;
    fn try_from(text: String) -> Result<Self, SettingError> {
        text.parse()
    }
}

impl FromStr for ContentBase {
    type Err = SettingError;
    fn from_str(text: &str) -> Result<Self, SettingError> {
        let text = text.trim().trim_end_matches('/');
        let bad = || SettingError::Value {
            name: "content_base",
            value: text.chars().take(80).collect(),
            expected: "an absolute URL such as http://files.example.net:8530/Content, or null",
        };
        let uri: http::Uri = text.parse().map_err(|_| bad())?;
        let scheme = uri.scheme_str().is_some_and(|s| s == "http" || s == "https");
        let host = uri.host().is_some_and(|host| !host.is_empty());
        if text.len() > 1024 || !scheme || !host || uri.query().is_some() || text.contains(['<', '&', '#']) {
            return Err(bad());
        }
        Ok(Self(text.to_owned()))
    }
}

/// A setting that cannot be what was asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No such setting.
    #[error("there is no setting `{0}`; GET config lists them")]
    Unknown(String),
    /// Not a value of its type.
    #[error("`{value}` is not a value for the setting `{name}`; expected {expected}")]
    Value {
        /// Which setting.
        name: &'static str,
        /// What was given, shortened.
        value: String,
        /// What would do.
        expected: &'static str,
    },
    /// Set by the server itself.
    #[error("the setting `{0}` is kept by the server itself and cannot be set")]
    ReadOnly(&'static str),
}

/// All settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Settings {
    /// Who says which groups a computer is in.
    pub targeting: Targeting,
    /// Whether clients must call RegisterComputer before they scan (true on real servers, observed).
    pub registration_required: bool,
    /// Where files are fetched from; `None` means from this server under the name the client used.
    pub content_base: Option<ContentBase>,
    /// `LastChange` of GetConfig: when a setting last changed that clients must know.
    #[serde(serialize_with = "iso")]
    pub config_changed: Timestamp,
    /// Counts changes of `content_base`; cookies carry it (FileLocationChanged).
    pub locations: u32,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde calls")]
fn iso<S: serde::Serializer>(time: &Timestamp, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&time.iso())
}

/// Names under which the store keeps them.
mod names {
    pub(super) const TARGETING: &str = "targeting";
    pub(super) const REGISTRATION: &str = "registration_required";
    pub(super) const CONTENT_BASE: &str = "content_base";
    pub(super) const CHANGED: &str = "config_changed";
    pub(super) const LOCATIONS: &str = "locations";
}

impl Settings {
    /// Those of a fresh server.
    #[must_use]
    pub fn fresh(now: Timestamp) -> Self {
        Self {
            targeting: Targeting::Server,
            registration_required: true,
            content_base: None,
            config_changed: whole_milliseconds(now),
            locations: 0,
        }
    }

    /// From what the store keeps; a name that is missing has its fresh value.
    ///
    /// # Errors
    /// [`SettingError::Value`] when a stored text is not a value of its setting.
    pub fn load(get: impl Fn(&str) -> Option<String>, now: Timestamp) -> Result<Self, SettingError> {
        let mut settings = Self::fresh(now);
        if let Some(text) = get(names::TARGETING) {
            settings.targeting = targeting(&text)?;
        }
        if let Some(text) = get(names::REGISTRATION) {
            settings.registration_required = boolean(names::REGISTRATION, &text)?;
        }
        if let Some(text) = get(names::CONTENT_BASE).filter(|text| !text.is_empty()) {
            settings.content_base = Some(text.parse()?);
        }
        if let Some(text) = get(names::CHANGED) {
            settings.config_changed =
                text.parse().map_err(|_| value(names::CHANGED, &text, "a date and time"))?;
            settings.config_changed = whole_milliseconds(settings.config_changed);
        }
        if let Some(text) = get(names::LOCATIONS) {
            settings.locations =
                text.parse().map_err(|_| value(names::LOCATIONS, &text, "a whole number"))?;
        }
        Ok(settings)
    }

    /// Every setting as the store keeps it.
    #[must_use]
    pub fn texts(&self) -> Vec<(&'static str, String)> {
        let targeting = match self.targeting {
            Targeting::Server => "server",
            Targeting::Client => "client",
        };
        vec![
            (names::TARGETING, targeting.to_owned()),
            (names::REGISTRATION, self.registration_required.to_string()),
            (names::CONTENT_BASE, self.content_base.clone().map(String::from).unwrap_or_default()),
            (names::CHANGED, self.config_changed.iso()),
            (names::LOCATIONS, self.locations.to_string()),
        ]
    }

    /// These settings with some changed. A change of what GetConfig says, or of how groups are found,
    /// moves `config_changed`, which makes every client shake hands again (ConfigChanged); a change of
    /// where files are moves `locations` (FileLocationChanged).
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn changed(
        &self,
        changes: &serde_json::Map<String, serde_json::Value>,
        now: Timestamp,
    ) -> Result<Self, SettingError> {
        let mut next = self.clone();
        for (name, given) in changes {
            let text = match given {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            match name.as_str() {
                names::TARGETING => next.targeting = targeting(&text)?,
                names::REGISTRATION => next.registration_required = boolean(names::REGISTRATION, &text)?,
                names::CONTENT_BASE if given.is_null() || text.is_empty() => next.content_base = None,
                names::CONTENT_BASE => next.content_base = Some(text.parse()?),
                names::CHANGED => return Err(SettingError::ReadOnly(names::CHANGED)),
                names::LOCATIONS => return Err(SettingError::ReadOnly(names::LOCATIONS)),
                other => return Err(SettingError::Unknown(other.chars().take(80).collect())),
            }
        }
        if next.targeting != self.targeting || next.registration_required != self.registration_required {
            // Strictly later, so that no client can hold the new time before the change.
            let later = Timestamp::from_ticks(self.config_changed.ticks() + TICKS_PER_MILLISECOND);
            next.config_changed = whole_milliseconds(now).max(later);
        }
        if next.content_base != self.content_base {
            next.locations = self.locations.wrapping_add(1);
        }
        Ok(next)
    }
}

/// Clients hand `LastChange` back and must be understood, but many toolkits keep only micro- or milliseconds
/// of a time. Real servers write few digits too (`...07.59Z`, observed-behaviour 1.3).
fn whole_milliseconds(time: Timestamp) -> Timestamp {
    Timestamp::from_ticks(time.ticks() - time.ticks().rem_euclid(TICKS_PER_MILLISECOND))
}

const TICKS_PER_MILLISECOND: i64 = 10_000;

fn value(name: &'static str, given: &str, expected: &'static str) -> SettingError {
    SettingError::Value { name, value: given.chars().take(80).collect(), expected }
}

fn targeting(text: &str) -> Result<Targeting, SettingError> {
    match text {
        "server" => Ok(Targeting::Server),
        "client" => Ok(Targeting::Client),
        _ => Err(value(names::TARGETING, text, "`server` or `client`")),
    }
}

fn boolean(name: &'static str, text: &str) -> Result<bool, SettingError> {
    match text {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(value(name, text, "true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn noon() -> Timestamp {
        "2026-10-04T12:00:00Z".parse().unwrap()
    }

    fn change(settings: &Settings, changes: serde_json::Value) -> Result<Settings, SettingError> {
        settings.changed(changes.as_object().unwrap(), noon().plus_seconds(60))
    }

    #[test]
    fn what_is_stored_is_loaded() {
        let settings = change(
            &Settings::fresh(noon()),
            json!({"targeting": "client", "registration_required": false, "content_base": "https://cdn.example/x/"}),
        )
        .unwrap();
        let texts = settings.texts();
        let get = |name: &str| texts.iter().find(|(n, _)| *n == name).map(|(_, text)| text.clone());
        assert_eq!(Settings::load(get, noon().plus_seconds(500)).unwrap(), settings);
        assert_eq!(Settings::load(|_| None, noon()).unwrap(), Settings::fresh(noon()));
    }

    #[test]
    fn clients_are_told_exactly_of_what_concerns_them() {
        let fresh = Settings::fresh(noon());
        let same = change(&fresh, json!({"targeting": "server"})).unwrap();
        assert_eq!(same, fresh);
        let moved = change(&fresh, json!({"content_base": "http://cdn.example"})).unwrap();
        assert_eq!((moved.locations, moved.config_changed), (1, noon()));
        let back = change(&moved, json!({"content_base": null})).unwrap();
        assert_eq!((back.locations, back.content_base), (2, None));
        let retargeted = change(&fresh, json!({"targeting": "client"})).unwrap();
        assert_eq!((retargeted.locations, retargeted.config_changed), (0, noon().plus_seconds(60)));
    }

    #[test]
    fn two_changes_at_one_instant_have_two_times() {
        let first = change(&Settings::fresh(noon()), json!({"targeting": "client"})).unwrap();
        let second = change(&first, json!({"targeting": "server"})).unwrap();
        assert!(second.config_changed > first.config_changed);
    }

    #[test]
    fn the_time_of_a_change_survives_toolkits_that_keep_milliseconds() {
        let odd: Timestamp = "2026-10-04T12:00:00.1239999Z".parse().unwrap();
        let even: Timestamp = "2026-10-04T12:00:00.123Z".parse().unwrap();
        let fresh = Settings::fresh(odd);
        assert_eq!(fresh.config_changed, even);
        let stored = |name: &str| (name == names::CHANGED).then(|| odd.iso());
        assert_eq!(Settings::load(stored, noon()).unwrap().config_changed, even);
        let changes = json!({"targeting": "client"});
        let next = fresh.changed(changes.as_object().unwrap(), odd).unwrap();
        assert_eq!(next.config_changed.iso(), "2026-10-04T12:00:00.124Z");
    }

    #[test]
    fn wrong_values_say_what_would_do() {
        let fresh = Settings::fresh(noon());
        for (bad, part) in [
            (json!({"targeting": "both"}), "`server` or `client`"),
            (json!({"registration_required": 3}), "true or false"),
            (json!({"content_base": "cdn.example"}), "absolute URL"),
            (json!({"content_base": "ftp://cdn.example"}), "absolute URL"),
            (json!({"colour": "red"}), "no setting `colour`"),
            (json!({"locations": 7}), "cannot be set"),
        ] {
            let error = change(&fresh, bad).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
