//! Store: which upstream this server has and how it is asked. Kept as text by name, changed as a whole.

use crate::Store;
use crate::audit;
use crate::columns::{Columns, for_rows};
use crate::error::{During, StoreError, StoredAs};
use crate::hierarchy::source::UpstreamSource;
use rusqlite::{Connection, Transaction};
use sluicegate_policy::hierarchy::{Choice, ContentPolicy, FilterPart, Mode, Patience, Schedule, SyncFilter};
use sluicegate_terms::{Timestamp, UpdateId};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

/// Longest address, name or path of a setting, in bytes.
pub(super) const LONGEST: usize = 2_048;

/// A password. Its text is never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Password(pub String);

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(password)")
    }
}

/// Who asks the proxy.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProxyCredentials {
    /// The account, without its domain.
    pub user: String,
    /// Its domain; empty for none.
    pub domain: String,
    /// Its password.
    pub password: Password,
}

/// One proxy.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProxyServer {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// The proxies on the way to the upstream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ProxySettings {
    /// For plain HTTP, and for TLS too when `https` is not set.
    pub http: Option<ProxyServer>,
    /// For TLS.
    pub https: Option<ProxyServer>,
    /// For both.
    pub credentials: Option<ProxyCredentials>,
    /// A password is never sent readable (`Basic`), whoever the user is: NTLM or nothing.
    pub ntlm_only: bool,
    /// Hosts that are asked directly: names, or suffixes beginning with a dot.
    pub bypass: Vec<String>,
    /// When the password of the credentials expires, as far as an administrator said.
    pub password_expires: Option<Timestamp>,
}

/// Everything an administrator says about the upstream.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct UpstreamSettings {
    /// Where the catalog comes from; `None` when documents are only imported.
    pub source: Option<UpstreamSource>,
    /// Who decides.
    pub mode: Mode,
    /// Replica mode is lifted for a while: the server decides for itself, beginning with its upstream's decisions.
    /// What was decided while it was autonomous stays aside, and nothing is put aside when it is a replica again.
    pub lifted: bool,
    /// Proxies.
    pub proxy: ProxySettings,
    /// A file of PEM certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
    /// When to synchronize.
    pub schedule: Schedule,
    /// What to synchronize.
    pub filter: SyncFilter,
    /// How long a run may go without coming forward.
    pub patience: Patience,
    /// Which files to fetch.
    pub content: ContentPolicy,
    /// Fetch files from Microsoft's addresses even when the upstream is another server.
    pub files_from_microsoft: bool,
    /// The name by which this server gives itself to its upstream (`accountName`); the host's when empty.
    pub account_name: String,
}

impl UpstreamSettings {
    /// What decides on which way files come, besides the upstream.
    fn way(&self) -> (&ProxySettings, Option<&PathBuf>, bool) {
        (&self.proxy, self.ca_file.as_ref(), self.files_from_microsoft)
    }

    /// Whether decisions made here are refused, and the upstream that makes them.
    #[must_use]
    pub fn decided_by(&self) -> Option<&UpstreamSource> {
        self.source.as_ref().filter(|_| self.mode == Mode::Replica)
    }

    /// Whether the decisions in service are the upstream's: of a replica, or of one whose mode is lifted.
    #[must_use]
    pub fn holds_upstreams_decisions(&self) -> bool {
        self.lifted || self.decided_by().is_some()
    }

    fn check(&self) -> Result<(), StoreError> {
        let invalid = |reason: String| StoreError::Invalid { what: "an upstream setting", reason };
        self.filter.check().map_err(|error| invalid(error.to_string()))?;
        if self.mode == Mode::Replica && self.source == Some(UpstreamSource::MicrosoftUpdate) {
            return Err(invalid(
                "a replica takes its decisions from its upstream, and Microsoft Update makes none; \
                 name another server, or use the mode autonomous"
                    .to_owned(),
            ));
        }
        if self.lifted && (self.mode == Mode::Replica || self.source.is_none()) {
            return Err(invalid(
                "replica mode is lifted only on a server that has an upstream and is autonomous".to_owned(),
            ));
        }
        let proxies = self.proxy.http.iter().chain(&self.proxy.https);
        let words = proxies
            .map(|proxy| ("the name of a proxy", proxy.host.as_str()))
            .chain(self.proxy.bypass.iter().map(|host| ("a name reached without a proxy", host.as_str())))
            .chain([("the name of this server at its upstream", self.account_name.as_str())])
            .chain(self.proxy.credentials.iter().flat_map(|c| {
                [
                    ("the name of the proxy's user", c.user.as_str()),
                    ("the domain of the proxy's user", c.domain.as_str()),
                    // What it is must not be said.
                    ("the password for the proxy", c.password.0.as_str()),
                ]
            }));
        for (what, word) in words {
            if word.len() > LONGEST {
                return Err(invalid(format!("{what} has {} bytes, and {LONGEST} are the most", word.len())));
            }
            if word.chars().any(char::is_control) {
                return Err(invalid(format!("{what} has control characters (a tab, a zero byte, …) in it")));
            }
        }
        Ok(())
    }

    fn to_rows(&self) -> BTreeMap<&'static str, String> {
        let mut rows = BTreeMap::new();
        let mut put = |name, value: String| rows.insert(name, value);
        if let Some(source) = &self.source {
            put("source", source.to_string());
        }
        put("mode", self.mode.to_string());
        if self.lifted {
            put("lifted", "true".to_owned());
        }
        put("schedule", self.schedule.to_string());
        put("patience", self.patience.minutes().to_string());
        put("content", self.content.when.to_string());
        put("express", self.content.express.to_string());
        put("files-from-microsoft", self.files_from_microsoft.to_string());
        put("account-name", self.account_name.clone());
        if let Some(path) = &self.ca_file {
            put("ca-file", path.display().to_string());
        }
        for (name, proxy) in [("proxy-http", &self.proxy.http), ("proxy-https", &self.proxy.https)] {
            if let Some(proxy) = proxy {
                put(name, format!("{} {}", proxy.port, proxy.host));
            }
        }
        if let Some(c) = &self.proxy.credentials {
            put("proxy-user", c.user.clone());
            put("proxy-domain", c.domain.clone());
            put("proxy-password", c.password.0.clone());
        }
        put("proxy-basic", (!self.proxy.ntlm_only).to_string());
        put("proxy-bypass", self.proxy.bypass.join("\n"));
        if let Some(at) = self.proxy.password_expires {
            put("proxy-password-expires", at.iso());
        }
        for (name, limited) in [
            ("only-product", self.filter.products.listed().is_some()),
            ("only-classification", self.filter.classifications.listed().is_some()),
            ("only-language", self.filter.languages.listed().is_some()),
        ] {
            if limited {
                put(name, "true".to_owned());
            }
        }
        rows
    }

    /// All of it for the audit log. Of a password only that it is another one is shown.
    fn shown(&self) -> BTreeMap<String, String> {
        let mut rows: BTreeMap<String, String> =
            self.to_rows().into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        if let Some(password) = rows.get_mut("proxy-password") {
            "(secret)".clone_into(password);
        }
        let ids = |choice: &Choice<UpdateId>| {
            choice.listed().map(|ids| ids.iter().map(ToString::to_string).collect())
        };
        let filter = &self.filter;
        let languages = filter.languages.listed().map(|tags| tags.iter().map(ToString::to_string).collect());
        for (part, values) in [
            (FilterPart::Product, ids(&filter.products)),
            (FilterPart::Classification, ids(&filter.classifications)),
            (FilterPart::Language, languages),
        ] {
            let values: Option<Vec<String>> = values;
            rows.insert(
                format!("filter-{}", part.as_str()),
                values.map_or("all".to_owned(), |v| v.join(" ")),
            );
        }
        rows
    }

    fn from_rows(
        rows: &BTreeMap<String, String>,
        filter: &BTreeMap<String, Vec<String>>,
    ) -> Result<Self, StoreError> {
        let text = |name: &str| rows.get(name).map(String::as_str);
        let flag = |name: &str| text(name) == Some("true");
        let broken = |what: &str, reason: String| StoreError::Unreadable { what: what.to_owned(), reason };
        fn word<T: FromStr<Err: fmt::Display>>(
            value: Option<&str>,
            what: &str,
        ) -> Result<Option<T>, StoreError> {
            value
                .map(str::parse::<T>)
                .transpose()
                .map_err(|error| StoreError::Unreadable { what: what.to_owned(), reason: error.to_string() })
        }
        let proxy = |name: &str| -> Result<Option<ProxyServer>, StoreError> {
            let Some(value) = text(name) else { return Ok(None) };
            let parts = value.split_once(' ').and_then(|(port, host)| Some((port.parse().ok()?, host)));
            let (port, host) = parts.ok_or_else(|| broken("proxy", format!("`{value}` has another form")))?;
            Ok(Some(ProxyServer { host: host.to_owned(), port }))
        };
        let lines = |value: &str| value.lines().filter(|l| !l.is_empty()).map(str::to_owned).collect();
        let chosen = |part: FilterPart| filter.get(part.as_str()).map(Vec::as_slice).unwrap_or_default();
        let categories = |part: FilterPart, limited: bool| -> Result<Choice<UpdateId>, StoreError> {
            if !limited {
                return Ok(Choice::All);
            }
            let ids = chosen(part).iter().map(|id| id.parse()).collect::<Result<BTreeSet<UpdateId>, _>>();
            ids.map(Choice::Only).stored_as("filter")
        };
        let languages = if flag("only-language") {
            let tags = chosen(FilterPart::Language).iter().map(|tag| tag.parse()).collect::<Result<_, _>>();
            Choice::Only(tags.stored_as("filter")?)
        } else {
            Choice::All
        };
        Ok(Self {
            source: word(text("source"), "upstream")?,
            mode: word(text("mode"), "mode")?.unwrap_or_default(),
            lifted: flag("lifted"),
            proxy: ProxySettings {
                http: proxy("proxy-http")?,
                https: proxy("proxy-https")?,
                credentials: text("proxy-user").map(|user| ProxyCredentials {
                    user: user.to_owned(),
                    domain: text("proxy-domain").unwrap_or_default().to_owned(),
                    password: Password(text("proxy-password").unwrap_or_default().to_owned()),
                }),
                // Earlier versions wrote it with a user only.
                ntlm_only: text("proxy-basic") == Some("false"),
                bypass: text("proxy-bypass").map(lines).unwrap_or_default(),
                password_expires: word(text("proxy-password-expires"), "date")?,
            },
            ca_file: text("ca-file").map(PathBuf::from),
            schedule: word(text("schedule"), "schedule")?.unwrap_or_default(),
            patience: word(text("patience"), "patience")?.unwrap_or_default(),
            filter: SyncFilter {
                products: categories(FilterPart::Product, flag("only-product"))?,
                classifications: categories(FilterPart::Classification, flag("only-classification"))?,
                languages,
            },
            content: ContentPolicy {
                when: word(text("content"), "content policy")?.unwrap_or_default(),
                express: flag("express"),
            },
            files_from_microsoft: flag("files-from-microsoft"),
            account_name: text("account-name").unwrap_or_default().to_owned(),
        })
    }
}

/// Reads the settings.
pub(crate) fn load(db: &Connection) -> Result<UpstreamSettings, StoreError> {
    let mut rows = BTreeMap::new();
    let mut statement =
        db.prepare("SELECT name, value FROM upstream_setting").during("read the upstream's settings")?;
    let mut found = statement.query([]).during("read the upstream's settings")?;
    for_rows(&mut found, |row| {
        rows.insert(row.text(0)?, row.text(1)?);
        Ok(())
    })?;
    let mut filter: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut statement = db.prepare("SELECT part, value FROM sync_filter").during("read the filter")?;
    let mut found = statement.query([]).during("read the filter")?;
    for_rows(&mut found, |row| {
        filter.entry(row.text(0)?).or_default().push(row.text(1)?);
        Ok(())
    })?;
    UpstreamSettings::from_rows(&rows, &filter)
}

fn save(tx: &Transaction<'_>, settings: &UpstreamSettings) -> Result<(), StoreError> {
    tx.execute_batch("DELETE FROM upstream_setting; DELETE FROM sync_filter")
        .during("write the upstream's settings")?;
    for (name, value) in settings.to_rows() {
        tx.execute("INSERT INTO upstream_setting (name, value) VALUES (?1, ?2)", (name, value))
            .during("write the upstream's settings")?;
    }
    let ids = |choice: &Choice<UpdateId>| -> Vec<String> {
        choice.listed().into_iter().flatten().map(ToString::to_string).collect()
    };
    let filter = &settings.filter;
    let languages = filter.languages.listed().into_iter().flatten().map(ToString::to_string).collect();
    for (part, values) in [
        (FilterPart::Product, ids(&filter.products)),
        (FilterPart::Classification, ids(&filter.classifications)),
        (FilterPart::Language, languages),
    ] {
        for value in values {
            tx.execute("INSERT INTO sync_filter (part, value) VALUES (?1, ?2)", (part.as_str(), value))
                .during("write the filter")?;
        }
    }
    Ok(())
}

impl Store {
    /// The upstream's settings. Cheap.
    #[must_use]
    pub fn upstream_settings(&self) -> Arc<UpstreamSettings> {
        Arc::clone(&self.shared.upstream.read())
    }

    /// Changes the upstream's settings; durable when it returns. Another upstream begins from the start:
    /// what was fetched stays, how far synchronization was is forgotten. Another mode puts the decisions
    /// of the present one aside and brings back those that were made in the other, with the computers'
    /// places in groups that the other mode does not have; without any, the present ones stay. Lifting replica mode and
    /// restoring it leaves all decisions where they are; the upstream's are asked for anew. Another proxy, password for it,
    /// file of certificates or place of files lets files that did not come be tried in the next run.
    ///
    /// Answers how many computers are in no group any more, since the other mode does not have theirs: they are put back
    /// when such groups are there again within 90 days, or at any time where they name their groups themselves.
    ///
    /// # Errors
    /// [`StoreError::Invalid`], or a failure to write.
    pub fn set_upstream_settings(
        &self,
        settings: UpstreamSettings,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        settings.check()?;
        let before = self.upstream_settings();
        let was = before.holds_upstreams_decisions();
        let switched = was != settings.holds_upstreams_decisions();
        let ungrouped = if switched { self.switch_decisions(was, now)? } else { 0 };
        let fresh_start = before.source != settings.source;
        let again = fresh_start || before.decided_by().is_some() != settings.decided_by().is_some();
        self.shared.database.write_alone(
            |tx| {
                save(tx, &settings)?;
                let (shown_before, mut shown_after) = (before.shown(), settings.shown());
                let password =
                    |s: &UpstreamSettings| s.proxy.credentials.as_ref().map(|c| c.password.clone());
                if let Some(shown) = shown_after.get_mut("proxy-password")
                    && password(&before) != password(&settings)
                {
                    "(another secret)".clone_into(shown);
                }
                let changed = audit::settings_changed("set-upstream", &shown_before, &shown_after);
                audit::append(tx, &self.actor, now, &changed)?;
                if fresh_start {
                    super::state::forget(tx)?;
                    self.tell_of_new_source(tx, &before, &settings, now)?;
                } else if before.way() != settings.way() {
                    super::failed::retry_files(tx, now)?;
                }
                if again {
                    super::generation::raise(tx)?;
                    super::state::forget_deployments(tx)?;
                }
                Ok(())
            },
            |()| *self.shared.upstream.write() = Arc::new(settings.clone()),
        )?;
        self.note_audit_head();
        Ok(ungrouped)
    }

    /// That the catalog comes from elsewhere than before is never silent (known problem P-05). The first upstream of a
    /// server replaces none.
    fn tell_of_new_source(
        &self,
        tx: &Transaction<'_>,
        before: &UpstreamSettings,
        after: &UpstreamSettings,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(was) = &before.source else { return Ok(()) };
        let becomes = after.source.as_ref().map_or("none", UpstreamSource::as_str);
        let (by, from) = (&self.actor.name, &self.actor.origin);
        // A replica that is only given its upstream back would decide for itself.
        let (mode, other) = (before.mode, before.mode != after.mode);
        let text = format!(
            "the upstream was {was} and is {becomes} since {}; {by} changed it{}{from}.{} If nobody meant to, set it \
             back with `sluicegate upstream set {was} --{mode}`",
            now.iso(),
            if from.is_empty() { "" } else { " from " },
            if other { format!(" The mode was {mode} and is {}.", after.mode) } else { String::new() },
        );
        audit::raise(tx, audit::AlertKind::UpstreamChanged, &text, &[], now)
    }

    /// Refuses what only the upstream of a replica may decide.
    pub(crate) fn refuse_on_replica(&self) -> Result<(), StoreError> {
        match self.upstream_settings().decided_by() {
            Some(upstream) => Err(StoreError::Replica { upstream: upstream.to_string() }),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        let secret = ProxyCredentials { password: Password("hunter2".to_owned()), ..Default::default() };
        assert!(!format!("{secret:?}").contains("hunter2"));
    }

    #[test]
    fn what_is_too_long_or_has_control_characters_is_named_and_a_password_is_not_shown() {
        let refused = |user: &str, password: &str| {
            let mut settings = UpstreamSettings::default();
            let (user, password) = (user.to_owned(), Password(password.to_owned()));
            settings.proxy.credentials = Some(ProxyCredentials { user, password, ..Default::default() });
            settings.check().unwrap_err().to_string()
        };
        let said = refused("svc", "hunter2\0");
        assert!(
            said.contains("the password for the proxy has control") && !said.contains("hunter2"),
            "{said}"
        );
        let said = refused("svc", &"x".repeat(5_000));
        assert!(said.contains("the password for the proxy has 5000 bytes"), "{said}");
        assert!(refused("a\tb", "x").contains("the proxy's user"), "{said}");
    }

    #[test]
    fn settings_come_back_from_their_rows() {
        let settings = UpstreamSettings {
            source: Some(UpstreamSource::Server("https://parent:8531".to_owned())),
            mode: Mode::Replica,
            lifted: false,
            proxy: ProxySettings {
                http: Some(ProxyServer { host: "proxy".to_owned(), port: 3128 }),
                https: None,
                credentials: Some(ProxyCredentials {
                    user: "svc".to_owned(),
                    domain: "CORP".to_owned(),
                    password: Password("a b".to_owned()),
                }),
                ntlm_only: true,
                bypass: vec![".corp".to_owned(), "localhost".to_owned()],
                password_expires: Some("2026-12-31T00:00:00Z".parse().unwrap()),
            },
            ca_file: Some("/etc/ca.pem".into()),
            schedule: "4@03:00+30".parse().unwrap(),
            patience: "45".parse().unwrap(),
            filter: SyncFilter {
                languages: Choice::Only(["en".parse().unwrap()].into_iter().collect()),
                ..SyncFilter::default()
            },
            content: ContentPolicy::default(),
            files_from_microsoft: true,
            account_name: "child.example.org".to_owned(),
        };
        let rows = settings.to_rows().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let filter = [("language".to_owned(), vec!["en".to_owned()])].into_iter().collect();
        assert_eq!(UpstreamSettings::from_rows(&rows, &filter).unwrap(), settings);
        let nobody = ProxySettings { credentials: None, ..settings.proxy.clone() };
        let unknown = UpstreamSettings { proxy: nobody, ..settings.clone() };
        let rows = unknown.to_rows().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        assert!(UpstreamSettings::from_rows(&rows, &filter).unwrap().proxy.ntlm_only, "without a user too");
        let lifted = UpstreamSettings { mode: Mode::Autonomous, lifted: true, ..settings };
        let rows = lifted.to_rows().into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        assert_eq!(UpstreamSettings::from_rows(&rows, &filter).unwrap(), lifted);
        assert_eq!(
            UpstreamSettings::from_rows(&BTreeMap::new(), &BTreeMap::new()).unwrap(),
            UpstreamSettings::default()
        );
    }
}
