//! SOAP: the small vocabulary that the services' types are listed in, and how it becomes XML Schema.

/// A named type or element of a schema.
pub(super) struct Definition {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
}

pub(super) enum Kind {
    /// An element with its own sequence of fields.
    Element(&'static [Field]),
    /// A type: a sequence of fields, or attributes.
    Complex(&'static [Field]),
    /// One of these words.
    Words(&'static [&'static str]),
}

/// One element of a sequence, or an attribute.
pub(super) struct Field {
    name: &'static str,
    /// `s:` XML Schema, `s2:` Guid, `tns:` this schema.
    kind: &'static str,
    occurs: Occurs,
}

enum Occurs {
    Between { least: &'static str, most: &'static str, nillable: bool },
    Attribute { required: bool },
}

pub(super) const fn element(name: &'static str, fields: &'static [Field]) -> Definition {
    Definition { name, kind: Kind::Element(fields) }
}
pub(super) const fn complex(name: &'static str, fields: &'static [Field]) -> Definition {
    Definition { name, kind: Kind::Complex(fields) }
}
pub(super) const fn words(name: &'static str, words: &'static [&'static str]) -> Definition {
    Definition { name, kind: Kind::Words(words) }
}

const fn field(
    name: &'static str,
    kind: &'static str,
    least: &'static str,
    most: &'static str,
    nillable: bool,
) -> Field {
    Field { name, kind, occurs: Occurs::Between { least, most, nillable } }
}
/// At most once.
pub(super) const fn opt(name: &'static str, kind: &'static str) -> Field {
    field(name, kind, "0", "1", false)
}
/// At most once, perhaps nil.
pub(super) const fn opt_nil(name: &'static str, kind: &'static str) -> Field {
    field(name, kind, "0", "1", true)
}
/// Exactly once.
pub(super) const fn req(name: &'static str, kind: &'static str) -> Field {
    field(name, kind, "1", "1", false)
}
/// Any number.
pub(super) const fn list(name: &'static str, kind: &'static str) -> Field {
    field(name, kind, "0", "unbounded", false)
}
/// Any number, perhaps nil.
pub(super) const fn list_nil(name: &'static str, kind: &'static str) -> Field {
    field(name, kind, "0", "unbounded", true)
}
/// At least one, perhaps nil.
pub(super) const fn some_nil(name: &'static str, kind: &'static str) -> Field {
    field(name, kind, "1", "unbounded", true)
}
/// An attribute that must be there.
pub(super) const fn attr(name: &'static str, kind: &'static str) -> Field {
    Field { name, kind, occurs: Occurs::Attribute { required: true } }
}
/// An attribute that may be there.
pub(super) const fn attr_opt(name: &'static str, kind: &'static str) -> Field {
    Field { name, kind, occurs: Occurs::Attribute { required: false } }
}

/// Appends the schema of one namespace.
pub(super) fn write(out: &mut String, namespace: &str, definitions: &[&[Definition]], imports: &[&str]) {
    put(
        out,
        &["<s:schema xmlns:tns=\"", namespace, "\" elementFormDefault=\"qualified\" targetNamespace=\""],
    );
    put(out, &[namespace, "\">"]);
    for import in imports {
        put(out, &["<s:import namespace=\"", import, "\"/>"]);
    }
    for definition in definitions.iter().copied().flatten() {
        let name = definition.name;
        match definition.kind {
            Kind::Element(fields) => {
                put(out, &["<s:element name=\"", name, "\"><s:complexType>"]);
                write_fields(out, fields);
                put(out, &["</s:complexType></s:element>"]);
            }
            Kind::Complex(fields) => {
                put(out, &["<s:complexType name=\"", name, "\">"]);
                write_fields(out, fields);
                put(out, &["</s:complexType>"]);
            }
            Kind::Words(words) => {
                put(out, &["<s:simpleType name=\"", name, "\"><s:restriction base=\"s:string\">"]);
                for word in words {
                    put(out, &["<s:enumeration value=\"", word, "\"/>"]);
                }
                put(out, &["</s:restriction></s:simpleType>"]);
            }
        }
    }
    put(out, &["</s:schema>"]);
}

/// The elements of a type in a sequence, and after it the attributes (XML Schema 1.0, 3.4.2).
fn write_fields(out: &mut String, fields: &[Field]) {
    let elements = fields.iter().any(|field| matches!(field.occurs, Occurs::Between { .. }));
    if elements {
        put(out, &["<s:sequence>"]);
    }
    for Field { name, kind, occurs } in fields {
        let Occurs::Between { least, most, nillable } = occurs else { continue };
        put(
            out,
            &[
                "<s:element minOccurs=\"",
                least,
                "\" maxOccurs=\"",
                most,
                "\" name=\"",
                name,
                if *nillable { "\" nillable=\"true\" type=\"" } else { "\" type=\"" },
                kind,
                "\"/>",
            ],
        );
    }
    if elements {
        put(out, &["</s:sequence>"]);
    }
    for Field { name, kind, occurs } in fields {
        let Occurs::Attribute { required } = occurs else { continue };
        let need = if *required { "\" use=\"required\"/>" } else { "\"/>" };
        put(out, &["<s:attribute name=\"", name, "\" type=\"", kind, need]);
    }
}

pub(super) fn put(out: &mut String, parts: &[&str]) {
    parts.iter().for_each(|part| out.push_str(part));
}
