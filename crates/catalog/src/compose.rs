//! Catalog: writes update documents. For synthetic catalogs, the demonstration and tests, and for whoever wants
//! to publish an update of their own; [`crate::parse`] reads back what is written here.

use crate::document::{CategoryInfo, EulaFile, LocalizedText, Properties, Relationships};
use crate::fragments::{escape, write_attribute};
use crate::namespaces::{
    BASE_RULES, CATEGORY, CBS_RULES, COMMAND_LINE, LOGICAL_RULES, MSI_RULES, SCHEMA_INSTANCE, UPDATE,
    WINDOWS_DRIVER,
};
use crate::{Clause, DriverEntry, FileEntry, Version};
use sluicegate_terms::{CategoryKind, Guid, Locale, UpdateId, UpdateIdentity, UpdateKind};

mod rules;

/// What to write. Public fields: start from a constructor and change what matters.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Document {
    /// Which revision.
    pub identity: UpdateIdentity,
    /// What it is.
    pub kind: UpdateKind,
    /// For categories.
    pub category: Option<CategoryInfo>,
    /// Attributes and children of `Properties`. Without a handler, one that fits is written.
    pub properties: Properties,
    /// At least one set, or lists show the update id.
    pub texts: Vec<LocalizedText>,
    /// How it relates to other updates.
    pub relationships: Relationships,
    /// When it is installed and so on.
    pub rules: RuleTexts,
    /// Its files.
    pub files: Vec<FileEntry>,
    /// What it fits, for drivers.
    pub drivers: Vec<DriverEntry>,
    /// Licence terms.
    pub eulas: Vec<EulaFile>,
    /// How its file is run.
    pub command: Option<Command>,
    /// Who published it.
    pub publisher: Guid,
}

/// Applicability rules in the notation of Core fragments: `<b.RegKeyExists …/>`, `<And>…</And>`, `<True />`.
/// A section that is `None` is left out.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RuleTexts {
    /// `IsInstalled`.
    pub is_installed: Option<String>,
    /// `IsSuperseded`.
    pub is_superseded: Option<String>,
    /// `IsInstallable`.
    pub is_installable: Option<String>,
    /// More of `Metadata`, beside the drivers.
    pub metadata: Option<String>,
}

/// `InstallCommand` of the command line handler.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Command {
    /// One of the files.
    pub program: String,
    /// Its arguments, may be empty.
    pub arguments: String,
}

impl Document {
    fn new(identity: UpdateIdentity, kind: UpdateKind, title: &str) -> Self {
        let english: Option<Locale> = "en".parse().ok();
        let text = english.clone().map(|language| LocalizedText {
            language,
            title: title.to_owned(),
            description: String::new(),
            more_info_url: None,
            support_url: None,
        });
        Self {
            identity,
            kind,
            category: None,
            properties: Properties { default_language: english, ..Properties::default() },
            texts: text.into_iter().collect(),
            relationships: Relationships::default(),
            rules: RuleTexts::default(),
            files: Vec::new(),
            drivers: Vec::new(),
            eulas: Vec::new(),
            command: None,
            publisher: Guid::ZERO,
        }
    }

    /// A category, always installed, under `parent`.
    #[must_use]
    pub fn category(
        identity: UpdateIdentity,
        kind: CategoryKind,
        title: &str,
        parent: Option<UpdateId>,
    ) -> Self {
        let mut document = Self::new(identity, UpdateKind::Category, title);
        document.category = Some(CategoryInfo {
            kind,
            prohibits_subcategories: kind == CategoryKind::UpdateClassification,
            prohibits_updates: matches!(kind, CategoryKind::Company | CategoryKind::ProductFamily),
            display_order: None,
            excluded_by_default: false,
        });
        document.relationships.prerequisites.extend(parent.map(Clause::category));
        document.rules.is_installed = Some("<True />".to_owned());
        document
    }

    /// A detectoid that is installed where `is_installed` holds.
    #[must_use]
    pub fn detectoid(identity: UpdateIdentity, title: &str, is_installed: &str) -> Self {
        let mut document = Self::new(identity, UpdateKind::Detectoid, title);
        document.rules.is_installed = Some(is_installed.to_owned());
        document
    }

    /// Software without rules, as bundles have none; administrators can approve it.
    #[must_use]
    pub fn software(identity: UpdateIdentity, title: &str) -> Self {
        let mut document = Self::new(identity, UpdateKind::Software, title);
        document.properties.explicitly_deployable = true;
        document
    }

    /// A driver with the usual driver rules; administrators can approve it.
    #[must_use]
    pub fn driver(identity: UpdateIdentity, title: &str, drivers: Vec<DriverEntry>) -> Self {
        let mut document = Self::new(identity, UpdateKind::Driver, title);
        document.properties.explicitly_deployable = true;
        document.drivers = drivers;
        document.rules.is_installed = Some("<d.WindowsDriverInstalled />".to_owned());
        document.rules.is_superseded = Some("<d.WindowsDriverSuperseded />".to_owned());
        document.rules.is_installable = Some("<d.WindowsDriverInstallable />".to_owned());
        document
    }

    /// The document as XML without declaration, as servers store it.
    #[must_use]
    pub fn to_xml(&self) -> String {
        let mut out = String::with_capacity(2048);
        out.push_str("<upd:Update");
        for (prefix, uri) in [
            ("upd", UPDATE),
            ("bar", BASE_RULES),
            ("lar", LOGICAL_RULES),
            ("mar", MSI_RULES),
            ("cbsar", CBS_RULES),
            ("cat", CATEGORY),
            ("cmd", COMMAND_LINE),
            ("drv", WINDOWS_DRIVER),
            ("xsi", SCHEMA_INSTANCE),
        ] {
            write_attribute(&mut out, &format!("xmlns:{prefix}"), uri);
        }
        out.push('>');
        identity(&mut out, self.identity);
        self.write_properties(&mut out);
        self.write_texts(&mut out);
        self.write_relationships(&mut out);
        self.write_rules(&mut out);
        if !self.files.is_empty() {
            out.push_str("<upd:Files>");
            self.files.iter().for_each(|file| write_file(&mut out, "upd:File", file, None));
            out.push_str("</upd:Files>");
        }
        self.write_handler_data(&mut out);
        out.push_str("</upd:Update>");
        out
    }

    fn write_properties(&self, out: &mut String) {
        let properties = &self.properties;
        out.push_str("<upd:Properties");
        write_attribute(out, "UpdateType", self.kind.as_str());
        if let Some(language) = &properties.default_language {
            write_attribute(out, "DefaultPropertiesLanguage", language.as_str());
        }
        for (name, value) in [
            ("AutoSelectOnWebSites", properties.auto_select_on_web_sites),
            ("ExplicitlyDeployable", properties.explicitly_deployable),
            ("OSUpgrade", properties.os_upgrade),
        ] {
            if value {
                write_attribute(out, name, "true");
            }
        }
        let handler = properties.handler.as_deref().or(match self.kind {
            UpdateKind::Category => Some(CATEGORY),
            UpdateKind::Driver => Some(WINDOWS_DRIVER),
            _ if self.command.is_some() => Some(COMMAND_LINE),
            _ => None,
        });
        if let Some(handler) = handler {
            write_attribute(out, "Handler", handler);
        }
        if let Some(size) = properties.max_download_size {
            write_attribute(out, "MaxDownloadSize", &size.to_string());
            write_attribute(out, "MinDownloadSize", "0");
        }
        if let Some(id) = properties.eula_id {
            write_attribute(out, "EulaID", &id.to_string());
        }
        if let Some(severity) = &properties.severity {
            write_attribute(out, "MsrcSeverity", severity);
        }
        write_attribute(out, "PublicationState", if properties.expired { "Expired" } else { "Published" });
        if let Some(created) = properties.created {
            write_attribute(out, "CreationDate", &created.iso());
        }
        write_attribute(out, "PublisherID", &self.publisher.to_string());
        out.push('>');
        if let Some(reboot) = &properties.reboot {
            out.push_str("<upd:InstallationBehavior");
            write_attribute(out, "RebootBehavior", reboot);
            out.push_str(" />");
        }
        if properties.can_uninstall {
            out.push_str("<upd:UninstallationBehavior />");
        }
        properties.support_url.iter().for_each(|url| text(out, "upd:SupportUrl", url));
        properties.bulletins.iter().for_each(|id| text(out, "upd:SecurityBulletinID", id));
        properties.kb.iter().for_each(|id| text(out, "upd:KBArticleID", id));
        properties.cves.iter().for_each(|id| text(out, "upd:CveID", id));
        properties.languages.iter().for_each(|tag| text(out, "upd:Language", tag.as_str()));
        out.push_str("</upd:Properties>");
    }

    fn write_texts(&self, out: &mut String) {
        out.push_str("<upd:LocalizedPropertiesCollection>");
        for texts in &self.texts {
            out.push_str("<upd:LocalizedProperties>");
            text(out, "upd:Language", texts.language.as_str());
            text(out, "upd:Title", &texts.title);
            if !texts.description.is_empty() {
                text(out, "upd:Description", &texts.description);
            }
            texts.more_info_url.iter().for_each(|url| text(out, "upd:MoreInfoUrl", url));
            texts.support_url.iter().for_each(|url| text(out, "upd:SupportUrl", url));
            out.push_str("</upd:LocalizedProperties>");
        }
        for eula in &self.eulas {
            write_file(out, "upd:EulaFile", &eula.file, Some((&eula.language, eula.geo_id.as_deref())));
        }
        out.push_str("</upd:LocalizedPropertiesCollection>");
    }

    fn write_relationships(&self, out: &mut String) {
        let Relationships { prerequisites, bundles, supersedes } = &self.relationships;
        if prerequisites.is_empty() && bundles.is_empty() && supersedes.is_empty() {
            return;
        }
        out.push_str("<upd:Relationships>");
        if !supersedes.is_empty() {
            out.push_str("<upd:SupersededUpdates>");
            supersedes.iter().for_each(|id| update(out, *id));
            out.push_str("</upd:SupersededUpdates>");
        }
        if !prerequisites.is_empty() {
            out.push_str("<upd:Prerequisites>");
            for clause in prerequisites {
                match clause.any_of.as_slice() {
                    [only] if !clause.is_category => update(out, *only),
                    alternatives => {
                        out.push_str("<upd:AtLeastOne");
                        if clause.is_category {
                            write_attribute(out, "IsCategory", "true");
                        }
                        out.push('>');
                        alternatives.iter().for_each(|id| update(out, *id));
                        out.push_str("</upd:AtLeastOne>");
                    }
                }
            }
            out.push_str("</upd:Prerequisites>");
        }
        if !bundles.is_empty() {
            out.push_str("<upd:BundledUpdates>");
            for clause in bundles {
                out.push_str("<upd:AtLeastOne>");
                clause.iter().for_each(|member| identity(out, *member));
                out.push_str("</upd:AtLeastOne>");
            }
            out.push_str("</upd:BundledUpdates>");
        }
        out.push_str("</upd:Relationships>");
    }

    fn write_rules(&self, out: &mut String) {
        let RuleTexts { is_installed, is_superseded, is_installable, metadata } = &self.rules;
        let sections = [
            ("IsInstalled", is_installed),
            ("IsSuperseded", is_superseded),
            ("IsInstallable", is_installable),
        ];
        let with_metadata = metadata.is_some() || !self.drivers.is_empty();
        if !with_metadata && sections.iter().all(|(_, rule)| rule.is_none()) {
            return;
        }
        out.push_str("<upd:ApplicabilityRules>");
        for (name, rule) in sections {
            if let Some(rule) = rule {
                out.push_str(&format!("<upd:{name}>{}</upd:{name}>", rules::with_prefixes(rule)));
            }
        }
        if with_metadata {
            out.push_str("<upd:Metadata>");
            self.drivers.iter().for_each(|driver| write_driver(out, driver));
            out.extend(metadata.iter().map(|more| rules::with_prefixes(more)));
            out.push_str("</upd:Metadata>");
        }
        out.push_str("</upd:ApplicabilityRules>");
    }

    fn write_handler_data(&self, out: &mut String) {
        if let Some(category) = &self.category {
            out.push_str("<upd:HandlerSpecificData xsi:type=\"cat:Category\"><cat:CategoryInformation");
            write_attribute(out, "CategoryType", category.kind.as_str());
            write_attribute(out, "ProhibitsSubcategories", &category.prohibits_subcategories.to_string());
            write_attribute(out, "ProhibitsUpdates", &category.prohibits_updates.to_string());
            if let Some(order) = category.display_order {
                write_attribute(out, "DisplayOrder", &order.to_string());
            }
            if category.excluded_by_default {
                write_attribute(out, "ExcludedByDefault", "true");
            }
            out.push_str(" /></upd:HandlerSpecificData>");
        } else if let Some(command) = &self.command {
            out.push_str(
                "<upd:HandlerSpecificData xsi:type=\"cmd:CommandLineInstallation\"><cmd:InstallCommand",
            );
            write_attribute(out, "Program", &command.program);
            if !command.arguments.is_empty() {
                write_attribute(out, "Arguments", &command.arguments);
            }
            out.push_str("><cmd:ReturnCode Code=\"0\" Result=\"Succeeded\" /></cmd:InstallCommand>");
            out.push_str("</upd:HandlerSpecificData>");
        }
    }
}

fn text(out: &mut String, name: &str, value: &str) {
    out.push_str(&format!("<{name}>"));
    escape(out, value, false);
    out.push_str(&format!("</{name}>"));
}

fn update(out: &mut String, id: UpdateId) {
    out.push_str(&format!("<upd:UpdateIdentity UpdateID=\"{id}\" />"));
}

fn identity(out: &mut String, id: UpdateIdentity) {
    let UpdateIdentity { update, revision } = id;
    out.push_str(&format!("<upd:UpdateIdentity UpdateID=\"{update}\" RevisionNumber=\"{revision}\" />"));
}

fn write_file(out: &mut String, name: &str, file: &FileEntry, eula: Option<(&Locale, Option<&str>)>) {
    out.push_str(&format!("<{name}"));
    write_attribute(out, "Digest", &file.sha1.to_base64());
    write_attribute(out, "DigestAlgorithm", "SHA1");
    write_attribute(out, "FileName", &file.name);
    write_attribute(out, "Size", &file.size.to_string());
    if let Some(modified) = file.modified {
        write_attribute(out, "Modified", &modified.iso());
    }
    if let Some(patching) = &file.patching {
        write_attribute(out, "PatchingType", patching);
    }
    if let Some((language, geo_id)) = eula {
        write_attribute(out, "Language", language.as_str());
        geo_id.iter().for_each(|id| write_attribute(out, "GeoId", id));
    }
    match &file.sha256 {
        None => out.push_str(" />"),
        Some(digest) => out.push_str(&format!(
            "><upd:AdditionalDigest Algorithm=\"SHA256\">{}</upd:AdditionalDigest></{name}>",
            digest.to_base64()
        )),
    }
}

fn write_driver(out: &mut String, driver: &DriverEntry) {
    out.push_str("<drv:WindowsDriverMetaData");
    write_attribute(out, "HardwareID", &driver.hardware_id);
    write_attribute(out, "WhqlDriverID", &driver.whql_driver_id.to_string());
    write_attribute(out, "Manufacturer", &driver.manufacturer);
    write_attribute(out, "Company", &driver.provider);
    write_attribute(out, "Provider", &driver.provider);
    write_attribute(out, "DriverVerDate", &driver.ver_date.date());
    write_attribute(out, "DriverVerVersion", &Version::from_packed(driver.ver_version).to_string());
    write_attribute(out, "Class", &driver.class);
    write_attribute(out, "Model", &driver.model);
    out.push('>');
    driver.compatible_providers.iter().for_each(|name| text(out, "drv:CompatibleProvider", name));
    for score in &driver.feature_scores {
        out.push_str("<drv:FeatureScore");
        write_attribute(out, "OperatingSystem", &score.operating_system);
        write_attribute(out, "FeatureScore", &format!("{:02X}", score.score));
        out.push_str(" />");
    }
    let computers = [
        ("drv:DistributionComputerHardwareId", &driver.distribution_computer_ids),
        ("drv:TargetComputerHardwareId", &driver.target_computer_ids),
    ];
    for (name, ids) in computers {
        ids.iter().for_each(|id| text(out, name, &id.to_string()));
    }
    out.push_str("</drv:WindowsDriverMetaData>");
}

#[cfg(test)]
#[path = "compose/tests.rs"]
mod tests;
