//! Catalog: the fragments a client is sent instead of the document (MS-WUSP 3.1.1.1, Metadata Table). They
//! are sequences of elements without namespaces; where the specification and real servers differ, what
//! servers sent wins (observed-behaviour 7), and the comments say so.

use crate::UpdateDocument;
use crate::namespaces::{BASE_RULES, FAMILY, MSI_RULES, WINDOWS_DRIVER, XML};
use crate::xml::{Attribute, Element, Step};
use core::fmt::Write;
use sluicegate_terms::Locale;

/// Everything derived from one document that clients ask for. None is XML-escaped again: that is
/// for whoever puts them into a message.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Fragments {
    /// What SyncUpdates delivers.
    pub core: String,
    /// `ExtendedProperties`, `Files` and `HandlerSpecificData`, for GetExtendedUpdateInfo.
    pub extended: String,
    /// One set of texts per language, in document order; languages are distinct.
    pub localized: Vec<(Locale, String)>,
    /// Licence terms, in document order.
    pub eulas: Vec<Eula>,
}

/// One Eula fragment.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Eula {
    /// Its language.
    pub locale: Locale,
    /// The region it is for (ISO 3166, three letters); `None` is the rest of the world.
    pub geo_id: Option<String>,
    /// The `EulaFile` element.
    pub xml: String,
}

/// The fragments of a parsed document.
#[must_use]
pub fn fragments(document: &UpdateDocument) -> &Fragments {
    &document.fragments
}

/// Attributes of `Properties` that go into Core, in the order real servers write them (observed;
/// the last two are placed as MS-WUSP lists them).
const CORE_PROPERTIES: [&str; 5] =
    ["UpdateType", "ExplicitlyDeployable", "AutoSelectOnWebSites", "OSUpgrade", "EulaID"];

/// Attributes of `Properties` that no Extended fragment has (MS-WUSP 3.1.1.1).
const NOT_EXTENDED: [&str; 11] = [
    "UpdateType",
    "ExplicitlyDeployable",
    "AutoSelectOnWebSites",
    "EulaID",
    "PublicationState",
    "PublisherID",
    "CreationDate",
    "IsPublic",
    "LegacyName",
    "DetectoidType",
    "OSUpgrade",
];

/// Defaults that servers leave out. ExplicitlyDeployable and PerUser are observed; the other two
/// follow them.
fn is_default(name: &str, value: &str) -> bool {
    value == "false"
        && matches!(name, "ExplicitlyDeployable" | "AutoSelectOnWebSites" | "OSUpgrade" | "PerUser")
}

/// The Core fragment. Contrary to the specification's list of nodes its Properties has no children
/// (observed-behaviour 7).
pub(crate) fn core(root: Element<'_>) -> String {
    let mut out = String::new();
    for child in root.children() {
        match child.local() {
            "UpdateIdentity" | "Relationships" | "ApplicabilityRules" => {
                write_element(&mut out, child, Names::Core)
            }
            "Properties" => {
                out.push_str("<Properties");
                for name in CORE_PROPERTIES {
                    if let Some(value) = child.attribute(name).filter(|value| !is_default(name, value)) {
                        write_attribute(&mut out, name, value);
                    }
                }
                out.push_str(" />");
            }
            _ => {}
        }
    }
    out
}

/// The Extended fragment.
pub(crate) fn extended(root: Element<'_>) -> String {
    let mut out = String::new();
    for child in root.children() {
        match child.local() {
            "Properties" => {
                out.push_str("<ExtendedProperties");
                for attribute in child.attributes() {
                    let name = attribute.local;
                    let dropped = attribute.declaration
                        || NOT_EXTENDED.contains(&name)
                        || is_default(name, attribute.value);
                    if !dropped {
                        write_attribute(&mut out, name, attribute.value);
                    }
                }
                let mut children = child.children().peekable();
                if children.peek().is_none() {
                    out.push_str(" />");
                } else {
                    out.push('>');
                    children.for_each(|inner| write_element(&mut out, inner, Names::Plain));
                    out.push_str("</ExtendedProperties>");
                }
            }
            "Files" | "HandlerSpecificData" => write_element(&mut out, child, Names::Plain),
            _ => {}
        }
    }
    out
}

/// One element as a fragment of its own (LocalizedProperties, Eula).
pub(crate) fn single(element: Element<'_>) -> String {
    let mut out = String::new();
    write_element(&mut out, element, Names::Plain);
    out
}

/// Whether elements of the rule namespaces get their letter. Only Core fragments have it
/// (MS-WUSP 3.1.1.1).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Names {
    /// `b.`, `m.` and `d.` before names.
    Core,
    /// Local names only.
    Plain,
}

/// Writes an element without the namespaces of the update schemas. Foreign elements (component
/// manifests, patch tables) keep theirs as a default namespace (observed).
pub(crate) fn write_element<W: Write>(out: &mut W, element: Element<'_>, names: Names) {
    // The foreign default namespace in force inside each open element; empty for none.
    let mut scopes: Vec<&str> = Vec::new();
    element.walk(|step| {
        // Writing to the sinks used here (String, hashes) cannot fail.
        let _ = match step {
            Step::Open { element, empty } => {
                let scope = write_start(out, element, names, scopes.last().copied().unwrap_or_default());
                if empty {
                    out.write_str(" />")
                } else {
                    scopes.push(scope);
                    out.write_char('>')
                }
            }
            Step::Text(text) => {
                escape(out, text, false);
                Ok(())
            }
            Step::Close(element) => {
                scopes.pop();
                ["</", letter(element, names), element.local(), ">"]
                    .iter()
                    .try_for_each(|piece| out.write_str(piece))
            }
        };
    });
}

fn letter(element: Element<'_>, names: Names) -> &'static str {
    match element.namespace() {
        _ if names == Names::Plain => "",
        BASE_RULES => "b.",
        MSI_RULES => "m.",
        WINDOWS_DRIVER => "d.",
        _ => "",
    }
}

/// Writes `<name attributes` and answers the foreign default namespace now in force.
fn write_start<'t, W: Write>(out: &mut W, element: Element<'t>, names: Names, scope: &'t str) -> &'t str {
    for piece in ["<", letter(element, names), element.local()] {
        let _ = out.write_str(piece);
    }
    let namespace = element.namespace();
    let scope = if namespace.starts_with(FAMILY) || (namespace.is_empty() && scope.is_empty()) {
        ""
    } else {
        if namespace != scope {
            write_attribute(out, "xmlns", namespace);
        }
        namespace
    };
    for attribute in element.attributes().filter(|attribute| !attribute.declaration) {
        if attribute.namespace == XML {
            write_attribute(out, &format!("xml:{}", attribute.local), attribute.value);
        } else if attribute.namespace.is_empty() || !shadowed(element, attribute) {
            // `xsi:type` becomes `type`, value unchanged (observed).
            write_attribute(out, attribute.local, attribute.value);
        }
    }
    scope
}

/// A prefixed attribute whose bare name is taken, by an attribute without prefix or an earlier one
/// with another: two attributes of one name would not be XML.
fn shadowed(element: Element<'_>, attribute: Attribute<'_>) -> bool {
    let same_name = || {
        let all = element.attributes().filter(|other| !other.declaration && other.namespace != XML);
        all.filter(|other| other.local == attribute.local)
    };
    let holder = same_name().find(|other| other.namespace.is_empty()).or_else(|| same_name().next());
    holder.is_some_and(|holder| holder.namespace != attribute.namespace)
}

pub(crate) fn write_attribute<W: Write>(out: &mut W, name: &str, value: &str) {
    for piece in [" ", name, "=\""] {
        let _ = out.write_str(piece);
    }
    escape(out, value, true);
    let _ = out.write_char('"');
}

/// Escapes as the servers' XML writer does: quotes only inside attributes, apostrophes never. Carriage
/// returns (and tabs and line feeds in attributes) are written as references: a reader would otherwise
/// change them.
pub(crate) fn escape<W: Write>(out: &mut W, text: &str, in_attribute: bool) {
    let mut rest = text;
    // All of them are ASCII, so bytes can be looked at and text cut beside them.
    let special = |byte: u8| match byte {
        b'&' | b'<' | b'>' | b'\r' => true,
        b'"' | b'\t' | b'\n' => in_attribute,
        _ => false,
    };
    while let Some(at) = rest.bytes().position(special) {
        let (plain, tail) = rest.split_at(at);
        let mut tail = tail.chars();
        let entity = match tail.next() {
            Some('&') => "&amp;",
            Some('<') => "&lt;",
            Some('>') => "&gt;",
            Some('"') => "&quot;",
            Some('\r') => "&#xD;",
            Some('\n') => "&#xA;",
            _ => "&#x9;",
        };
        let _ = out.write_str(plain);
        let _ = out.write_str(entity);
        rest = tail.as_str();
    }
    let _ = out.write_str(rest);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Limits;
    use crate::namespaces::SCHEMA_INSTANCE;
    use crate::xml::Tree;

    fn written(source: &str, names: Names) -> String {
        let tree = Tree::document(source, &Limits::default()).unwrap();
        let mut out = String::new();
        write_element(&mut out, tree.roots().next().unwrap(), names);
        out
    }

    #[test]
    fn rule_namespaces_become_letters_in_core_only() {
        let source = format!(
            "<u:R xmlns:u='{}' xmlns:x='{BASE_RULES}' xmlns:m='{MSI_RULES}' xmlns:d='{WINDOWS_DRIVER}'><x:A u:t='1'/><m:B>t</m:B><d:C/><u:D/></u:R>",
            crate::namespaces::UPDATE
        );
        assert_eq!(written(&source, Names::Core), "<R><b.A t=\"1\" /><m.B>t</m.B><d.C /><D /></R>");
        assert_eq!(written(&source, Names::Plain), "<R><A t=\"1\" /><B>t</B><C /><D /></R>");
    }

    #[test]
    fn foreign_namespaces_stay_as_defaults() {
        let source = format!(
            "<u:M xmlns:u='{}'><assembly xmlns='urn:schemas-microsoft-com:asm.v3' v='1'><x/><p:q xmlns:p='urn:other'><r xmlns=''/></p:q></assembly><u:N/></u:M>",
            crate::namespaces::UPDATE
        );
        assert_eq!(
            written(&source, Names::Core),
            "<M><assembly xmlns=\"urn:schemas-microsoft-com:asm.v3\" v=\"1\"><x /><q xmlns=\"urn:other\"><r xmlns=\"\" /></q></assembly><N /></M>"
        );
    }

    #[test]
    fn type_attributes_lose_their_prefix_unless_the_name_is_taken() {
        let source = |extra: &str| format!("<a xmlns:xsi='{SCHEMA_INSTANCE}' xsi:type='c:D'{extra}/>");
        assert_eq!(written(&source(""), Names::Plain), "<a type=\"c:D\" />");
        assert_eq!(written(&source(" type='e'"), Names::Plain), "<a type=\"e\" />");
    }

    #[test]
    fn escaping_survives_a_second_reading() {
        let source = "<a b='&lt;&quot;&#39;&#9;&#10;&#13;&amp;'>&lt;\"'&#9;&#10;&#13;&gt;</a>";
        let once = written(source, Names::Plain);
        assert_eq!(once, "<a b=\"&lt;&quot;'&#x9;&#xA;&#xD;&amp;\">&lt;\"'\t\n&#xD;&gt;</a>");
        assert_eq!(written(&once, Names::Plain), once);
    }
}
