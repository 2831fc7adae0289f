//! SOAP: how a value is one element. Scalars and arrays here; the `message!` macro makes a structure
//! from a list of elements in the order of the interface definition, read in any order.

use crate::envelope::Limits;
use crate::error::{DecodeError, Problem};
use crate::reader::XmlReader;
use crate::text::Text;
use crate::writer::XmlWriter;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sluicegate_terms::{
    DeploymentAction, DeploymentId, GroupId, Guid, RevisionId, RevisionNumber, Sha1Digest, Timestamp,
    UpdateId,
};

/// A value that one element holds.
pub(crate) trait Field<'a>: Sized {
    /// What an element that is not there means; `None` when it must be there.
    fn absent() -> Option<Self> {
        None
    }
    /// Reads the open element through its end tag.
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError>;
    /// How many entries an array of these may have.
    fn array_limit(limits: &Limits) -> usize {
        limits.records
    }
    /// Reads the entries of the open array element through its end tag.
    fn read_array(reader: &mut XmlReader<'a>, item: &str) -> Result<Vec<Self>, DecodeError> {
        let mut entries = Vec::new();
        read_entries(reader, item, &mut entries)?;
        Ok(entries)
    }
    /// Writes the element, or nothing when the value is what an absent element means.
    fn write(&self, out: &mut XmlWriter, element: &str);
    /// Writes what the element of a structure holds.
    fn write_content(&self, _out: &mut XmlWriter) {}
}

fn read_entries<'a, T: Field<'a>>(
    reader: &mut XmlReader<'a>,
    item: &str,
    out: &mut Vec<T>,
) -> Result<(), DecodeError> {
    while let Some(child) = reader.next_child()? {
        if child != item || reader.is_nil() {
            reader.skip()?;
            continue;
        }
        let entry = T::read(reader)?;
        let limit = T::array_limit(reader.limits());
        if out.len() >= limit {
            return Err(reader.wrong(Problem::TooMany(limit)));
        }
        out.push(entry);
    }
    Ok(())
}

/// An array: one element with an element for each entry.
pub(crate) trait ArrayField<'a>: Sized {
    /// What an element that is not there means.
    fn absent_array() -> Self;
    /// Reads the open element through its end tag.
    fn read_entries(reader: &mut XmlReader<'a>, item: &str) -> Result<Self, DecodeError>;
    /// Writes the element, or nothing.
    fn write_entries(&self, out: &mut XmlWriter, element: &str, item: &str);
}

/// An array that is empty when it is not there. The Client service leaves an empty one out, the other
/// services write its element (observed-behaviour 1.3).
impl<'a, T: Field<'a>> ArrayField<'a> for Vec<T> {
    fn absent_array() -> Self {
        Self::new()
    }
    fn read_entries(reader: &mut XmlReader<'a>, item: &str) -> Result<Self, DecodeError> {
        T::read_array(reader, item)
    }
    fn write_entries(&self, out: &mut XmlWriter, element: &str, item: &str) {
        write_array(self, out, element, item);
    }
}

/// Writes an array as `Vec` does.
pub(crate) fn write_array<'a, T: Field<'a>>(entries: &[T], out: &mut XmlWriter, element: &str, item: &str) {
    if !entries.is_empty() || out.writes_empty_arrays() {
        out.element(element, |out| entries.iter().for_each(|entry| entry.write(out, item)));
    }
}

/// An array that means one thing when it is empty and another when it is not there.
impl<'a, T: Field<'a>> ArrayField<'a> for Option<Vec<T>> {
    fn absent_array() -> Self {
        None
    }
    fn read_entries(reader: &mut XmlReader<'a>, item: &str) -> Result<Self, DecodeError> {
        if reader.is_nil() {
            reader.skip()?;
            return Ok(None);
        }
        T::read_array(reader, item).map(Some)
    }
    fn write_entries(&self, out: &mut XmlWriter, element: &str, item: &str) {
        if let Some(entries) = self {
            out.element(element, |out| entries.iter().for_each(|entry| entry.write(out, item)));
        }
    }
}

impl<'a, T: Field<'a>> Field<'a> for Option<T> {
    fn absent() -> Option<Self> {
        Some(None)
    }
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        if reader.is_nil() {
            reader.skip()?;
            return Ok(None);
        }
        T::read(reader).map(Some)
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        if let Some(value) = self {
            value.write(out, element);
        }
    }
}

impl<'a> Field<'a> for Text<'a> {
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        reader.text()
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        out.element(element, |out| out.raw(self.escaped()));
    }
}

impl<'a> Field<'a> for String {
    fn array_limit(limits: &Limits) -> usize {
        limits.array
    }
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        Ok(reader.text()?.plain().into_owned())
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        out.element(element, |out| out.escaped(self));
    }
}

impl<'a> Field<'a> for i32 {
    fn array_limit(limits: &Limits) -> usize {
        limits.array
    }
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        read_scalar(reader, |text| integer(text, "a whole number from -2147483648 to 2147483647"))
    }
    fn read_array(reader: &mut XmlReader<'a>, item: &str) -> Result<Vec<Self>, DecodeError> {
        let mut entries = Vec::new();
        if item == "int" && reader.may_read_directly() {
            let rest = reader.rest().as_bytes();
            if rest.starts_with(b"<int>") {
                // No entry is shorter than twelve bytes, so this is room for all there can be.
                entries.reserve_exact((rest.len() / 12 + 1).min(reader.limits().array));
                let bytes = crate::ints::read_run(rest, reader.limits().array, &mut entries);
                reader.resume_after(bytes, entries.len())?;
            }
        }
        read_entries(reader, item, &mut entries)?;
        Ok(entries)
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        out.element(element, |out| out.raw(itoa::Buffer::new().format(*self)));
    }
}

/// Reads one text and parses it, surrounding space set aside.
pub(crate) fn read_scalar<T>(
    reader: &mut XmlReader<'_>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, DecodeError> {
    if reader.is_nil() {
        return Err(reader.wrong(Problem::Missing));
    }
    let text = reader.text()?;
    parse(text.plain().trim()).map_err(|reason| reader.wrong_closed(Problem::Value(reason)))
}

fn integer<T: core::str::FromStr>(text: &str, expected: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{}` is not {expected}", text.chars().take(40).collect::<String>()))
}

/// A value that one attribute may hold.
pub(crate) trait Attribute: Sized {
    /// Reads it; surrounding space is set aside already.
    fn from_text(text: &str) -> Result<Self, String>;
    /// As it is written, not yet escaped.
    fn to_text(&self) -> String;
}

impl Attribute for String {
    fn from_text(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }
    fn to_text(&self) -> String {
        self.clone()
    }
}

impl Attribute for i32 {
    fn from_text(text: &str) -> Result<Self, String> {
        integer(text, "a whole number from -2147483648 to 2147483647")
    }
    fn to_text(&self) -> String {
        self.to_string()
    }
}

macro_rules! scalar {
    ($($type:ty, |$text:ident| $parse:expr, |$value:ident| $show:expr;)*) => { $(
        impl Attribute for $type {
            fn from_text($text: &str) -> Result<Self, String> {
                $parse
            }
            fn to_text(&self) -> String {
                let $value = self;
                ($show).to_owned()
            }
        }
        impl<'a> Field<'a> for $type {
            fn array_limit(limits: &Limits) -> usize {
                limits.array
            }
            fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
                read_scalar(reader, <$type as Attribute>::from_text)
            }
            fn write(&self, out: &mut XmlWriter, element: &str) {
                let $value = self;
                out.element(element, |out| out.raw($show));
            }
        }
    )* };
}

scalar! {
    bool, |text| match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(format!("`{}` is neither true nor false", text.chars().take(40).collect::<String>())),
    }, |value| if *value { "true" } else { "false" };
    u8, |text| integer(text, "a whole number from 0 to 255"), |value| itoa::Buffer::new().format(*value);
    Guid, |text| Guid::parse_bytes(text.as_bytes()).map_err(|e| e.to_string()), |value| &value.to_string();
    GroupId, |text| Guid::parse_bytes(text.as_bytes()).map(GroupId).map_err(|e| e.to_string()),
        |value| &value.to_string();
    UpdateId, |text| text.parse().map_err(|e: sluicegate_terms::TermError| e.to_string()), |value| &value.to_string();
    Timestamp, |text| text.parse().map_err(|e: sluicegate_terms::TermError| e.to_string()), |value| &value.iso();
    RevisionNumber, |text| integer(text, "a whole number")
        .and_then(|number| RevisionNumber::new(number).map_err(|e| e.to_string())), |value| &value.to_string();
    RevisionId, |text| integer(text, "a whole number")
        .and_then(|number| RevisionId::new(number).map_err(|e| e.to_string())), |value| &value.to_string();
    DeploymentId, |text| integer(text, "a whole number")
        .and_then(|number| DeploymentId::new(number).map_err(|e| e.to_string())), |value| &value.to_string();
    DeploymentAction, |text| text.parse().map_err(|e: sluicegate_terms::TermError| e.to_string()),
        |value| value.as_str();
    Sha1Digest, |text| Base64::from_text(text)
        .and_then(|bytes| bytes.0.try_into().map_err(|_| "it is not a SHA-1 digest (20 bytes)".to_owned()))
        .map(Sha1Digest), |value| &value.to_base64();
}

impl<'a> Field<'a> for Base64 {
    fn array_limit(limits: &Limits) -> usize {
        limits.array
    }
    fn read(reader: &mut XmlReader<'a>) -> Result<Self, DecodeError> {
        read_scalar(reader, Self::from_text)
    }
    fn write(&self, out: &mut XmlWriter, element: &str) {
        out.element(element, |out| out.base64(&self.0));
    }
}

/// Bytes that a message writes as `xs:base64Binary`.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Base64(pub Vec<u8>);

impl Base64 {
    fn from_text(text: &str) -> Result<Self, String> {
        // Hardly anybody breaks lines in it: no look for white space before the first attempt has failed. The second
        // says what is wrong.
        if let Ok(decoded) = base64_simd::STANDARD.decode_to_vec(text) {
            return Ok(Self(decoded));
        }
        let decoded = match text.bytes().any(|byte| byte.is_ascii_whitespace()) {
            true => STANDARD.decode(text.split_ascii_whitespace().collect::<String>()),
            false => STANDARD.decode(text),
        };
        decoded.map(Self).map_err(|error| format!("it is not Base64 ({error})"))
    }
}

impl core::fmt::Debug for Base64 {
    /// Only the length: cookies are secrets and do not belong in logs.
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Base64({} bytes)", self.0.len())
    }
}

impl From<Vec<u8>> for Base64 {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

/// Makes structures that are elements. `field: Type = "Element"` is one element,
/// `field: Vec<Type> = "Element"["item"]` an array of them. The order is the order of writing.
macro_rules! message {
    ($( $(#[$meta:meta])* $vis:vis struct $name:ident {
        $( $(#[$fmeta:meta])* $field:ident : $type:ty = $wire:literal $([$item:literal])? ),* $(,)?
    } )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis struct $name { $( $(#[$fmeta])* pub $field: $type, )* }
        impl<'x> $crate::field::Field<'x> for $name {
            $crate::field::message!(@body 'x { $( $field : $type = $wire $([$item])? ),* });
        }
    )* };
    (borrowed $( $(#[$meta:meta])* $vis:vis struct $name:ident<$lt:lifetime> {
        $( $(#[$fmeta:meta])* $field:ident : $type:ty = $wire:literal $([$item:literal])? ),* $(,)?
    } )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis struct $name<$lt> { $( $(#[$fmeta])* pub $field: $type, )* }
        impl<$lt> $crate::field::Field<$lt> for $name<$lt> {
            $crate::field::message!(@body $lt { $( $field : $type = $wire $([$item])? ),* });
        }
    )* };
    (@body $lt:lifetime { $( $field:ident : $type:ty = $wire:literal $([$item:literal])? ),* }) => {
        #[allow(unused_variables, unused_mut, reason = "a message may be empty")]
        fn read(reader: &mut $crate::reader::XmlReader<$lt>) -> Result<Self, $crate::error::DecodeError> {
            $( let mut $field: Option<$type> = None; )*
            while let Some(child) = reader.next_child()? {
                match child {
                    $( $wire => {
                        if $field.is_some() {
                            return Err(reader.wrong($crate::error::Problem::Repeated));
                        }
                        $field = Some($crate::field::message!(@read reader, $type $(, $item)?)?);
                    } )*
                    _ => reader.skip()?,
                }
            }
            Ok(Self { $(
                $field: match $field.or_else(|| $crate::field::message!(@absent $type $(, $item)?)) {
                    Some(value) => value,
                    None => return Err(reader.missing($wire)),
                },
            )* })
        }
        #[allow(unused_variables, reason = "a message may be empty")]
        fn write(&self, out: &mut $crate::writer::XmlWriter, element: &str) {
            out.element(element, |out| self.write_content(out));
        }
        #[allow(unused_variables, reason = "a message may be empty")]
        fn write_content(&self, out: &mut $crate::writer::XmlWriter) {
            $( $crate::field::message!(@write self.$field, out, $wire $(, $item)?); )*
        }
    };
    (@read $reader:ident, $type:ty) => { <$type as $crate::field::Field<'_>>::read($reader) };
    (@read $reader:ident, $type:ty, $item:literal) => {
        <$type as $crate::field::ArrayField<'_>>::read_entries($reader, $item)
    };
    (@absent $type:ty) => { <$type as $crate::field::Field<'_>>::absent() };
    (@absent $type:ty, $item:literal) => { Some(<$type as $crate::field::ArrayField<'_>>::absent_array()) };
    (@write $value:expr, $out:ident, $wire:literal) => { $crate::field::Field::write(&$value, $out, $wire) };
    (@write $value:expr, $out:ident, $wire:literal, $item:literal) => {
        $crate::field::ArrayField::write_entries(&$value, $out, $wire, $item)
    };
}
pub(crate) use message;

/// Makes structures that are elements with attributes: `attributes { .. }` first, then the elements as
/// [`message!`] has them. An attribute that is missing is an error unless its type is an `Option`.
macro_rules! message_with_attributes {
    ($( $(#[$meta:meta])* $vis:vis struct $name:ident {
        attributes { $( $(#[$ameta:meta])* $attribute:ident : $atype:ty = $awire:literal ),* $(,)? }
        $( $(#[$fmeta:meta])* $field:ident : $type:ty = $wire:literal $([$item:literal])? ),* $(,)?
    } )*) => { $(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        $vis struct $name {
            $( $(#[$ameta])* pub $attribute: $atype, )*
            $( $(#[$fmeta])* pub $field: $type, )*
        }
        impl<'x> $crate::field::Field<'x> for $name {
            #[allow(unused_mut, reason = "there may be attributes only")]
            fn read(reader: &mut $crate::reader::XmlReader<'x>) -> Result<Self, $crate::error::DecodeError> {
                $( let $attribute: $atype = $crate::field::read_attribute(reader, $awire)?; )*
                $( let mut $field: Option<$type> = None; )*
                while let Some(child) = reader.next_child()? {
                    match child {
                        $( $wire => {
                            if $field.is_some() {
                                return Err(reader.wrong($crate::error::Problem::Repeated));
                            }
                            $field = Some($crate::field::message!(@read reader, $type $(, $item)?)?);
                        } )*
                        _ => reader.skip()?,
                    }
                }
                Ok(Self {
                    $( $attribute, )*
                    $( $field: match $field.or_else(|| $crate::field::message!(@absent $type $(, $item)?)) {
                        Some(value) => value,
                        None => return Err(reader.missing($wire)),
                    }, )*
                })
            }
            fn write(&self, out: &mut $crate::writer::XmlWriter, element: &str) {
                out.element_with(
                    element,
                    |out| { $( $crate::field::write_attribute(&self.$attribute, out, $awire); )* },
                    |out| self.write_content(out),
                );
            }
            #[allow(unused_variables, reason = "there may be attributes only")]
            fn write_content(&self, out: &mut $crate::writer::XmlWriter) {
                $( $crate::field::message!(@write self.$field, out, $wire $(, $item)?); )*
            }
        }
    )* };
}
pub(crate) use message_with_attributes;

/// A value that attributes hold, or none.
pub(crate) trait OptionalAttribute: Sized {
    /// Reads it; `None` when the attribute is not there.
    fn from_attribute(text: Option<&str>) -> Result<Self, Problem>;
    /// As it is written; `None` for no attribute.
    fn to_attribute(&self) -> Option<String>;
}

impl<T: Attribute> OptionalAttribute for T {
    fn from_attribute(text: Option<&str>) -> Result<Self, Problem> {
        T::from_text(text.ok_or(Problem::Missing)?.trim()).map_err(Problem::Value)
    }
    fn to_attribute(&self) -> Option<String> {
        Some(self.to_text())
    }
}

impl<T: Attribute> OptionalAttribute for Option<T> {
    fn from_attribute(text: Option<&str>) -> Result<Self, Problem> {
        text.map(|text| T::from_text(text.trim()).map_err(Problem::Value)).transpose()
    }
    fn to_attribute(&self) -> Option<String> {
        self.as_ref().map(Attribute::to_text)
    }
}

/// Reads an attribute of the element that was just opened.
pub(crate) fn read_attribute<T: OptionalAttribute>(
    reader: &XmlReader<'_>,
    name: &str,
) -> Result<T, DecodeError> {
    let text = reader.attribute(name)?;
    T::from_attribute(text.as_deref()).map_err(|problem| reader.wrong_attribute(name, problem))
}

/// Writes an attribute, or nothing.
pub(crate) fn write_attribute(value: &impl OptionalAttribute, out: &mut XmlWriter, name: &str) {
    if let Some(text) = value.to_attribute() {
        out.attribute(name, &text);
    }
}
