//! Catalog: from the notation of Core fragments (`b.RegDword`, `And`) back to that of documents, which has
//! namespaces (`bar:RegDword`, `lar:And`). The inverse of what deriving a Core fragment does to rules.

use crate::Limits;
use crate::fragments::{escape, write_attribute};
use crate::xml::{Step, Tree};

/// The rule with prefixes of the declarations that [`super::Document::to_xml`] writes. Text that is not
/// well-formed is kept as it is: reading the document names the mistake.
pub(super) fn with_prefixes(rule: &str) -> String {
    let limits = Limits::default();
    let Ok(tree) = Tree::fragment(rule, &limits) else { return rule.to_owned() };
    let mut out = String::with_capacity(rule.len() * 2);
    // The foreign default namespace in force inside each open element; inside one, names stay.
    let mut scopes: Vec<&str> = Vec::new();
    for root in tree.roots() {
        root.walk(|step| match step {
            Step::Open { element, empty } => {
                let scope = element.namespace();
                out.push('<');
                out.push_str(&document_name(element.local(), scope));
                if scopes.last().copied().unwrap_or_default() != scope {
                    write_attribute(&mut out, "xmlns", scope);
                }
                for attribute in element.attributes().filter(|attribute| !attribute.declaration) {
                    write_attribute(&mut out, attribute.local, attribute.value);
                }
                out.push_str(if empty { " />" } else { ">" });
                if !empty {
                    scopes.push(scope);
                }
            }
            Step::Text(text) => escape(&mut out, text, false),
            Step::Close(element) => {
                scopes.pop();
                out.push_str(&format!("</{}>", document_name(element.local(), element.namespace())));
            }
        });
    }
    out
}

fn document_name(name: &str, foreign: &str) -> String {
    if !foreign.is_empty() {
        return name.to_owned();
    }
    match name.split_once('.') {
        Some(("b", rest)) => format!("bar:{rest}"),
        Some(("m", rest)) => format!("mar:{rest}"),
        Some(("d", rest)) => format!("drv:{rest}"),
        _ => match name {
            "And" | "Or" | "Not" | "True" | "False" => format!("lar:{name}"),
            _ if name.starts_with("Cbs") => format!("cbsar:{name}"),
            _ => format!("upd:{name}"),
        },
    }
}
