//! Service descriptions: their facts are those of the published ones, and every message this room writes
//! fits them, in names, order and numbers.

mod common;
use common::server_samples::{self, every_server_answer};
use common::{recorded, samples};
use quick_xml::events::Event;
use quick_xml::name::QName;
use quick_xml::reader::Reader;
use sluicegate_soap::{Operation, ResponseMessage as _, Service, SoapVersion, wsdl};
use std::collections::BTreeMap;

/// A small tree, enough for schemas and messages.
#[derive(Debug, Clone, Default)]
struct Node {
    name: String,
    attributes: BTreeMap<String, String>,
    children: Vec<Self>,
}

impl Node {
    fn attribute(&self, name: &str) -> &str {
        self.attributes.get(name).map_or("", |value| value.trim())
    }
    fn all<'a>(&'a self, name: &'a str) -> Vec<&'a Self> {
        let mut found: Vec<&Self> = Vec::new();
        for child in &self.children {
            if child.name == name {
                found.push(child);
            }
            found.extend(child.all(name));
        }
        found
    }
}

fn parse(document: &[u8]) -> Node {
    let text = std::str::from_utf8(document).unwrap();
    let mut reader = Reader::from_str(text);
    let mut open = vec![Node::default()];
    let node = |name: QName<'_>, tag: &quick_xml::events::BytesStart<'_>| Node {
        name: name.local_name().into_inner().to_owned(),
        attributes: tag
            .attributes()
            .map(Result::unwrap)
            .map(|a| (a.key.into_inner().to_owned(), a.value.into_owned()))
            .collect(),
        children: Vec::new(),
    };
    loop {
        match reader.read_event().unwrap() {
            Event::Start(tag) => open.push(node(tag.name(), &tag)),
            Event::Empty(tag) => open.last_mut().unwrap().children.push(node(tag.name(), &tag)),
            Event::End(_) => {
                let closed = open.pop().unwrap();
                open.last_mut().unwrap().children.push(closed);
            }
            Event::Eof => return open.pop().unwrap(),
            _ => {}
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    name: String,
    /// Without prefix.
    kind: String,
    least: String,
    most: String,
    nillable: bool,
    attribute: bool,
}

/// Of every type and element of all schemas: its fields, or words as fields of no kind.
fn facts(document: &[u8]) -> BTreeMap<String, Vec<Field>> {
    let root = parse(document);
    let mut facts = BTreeMap::new();
    for schema in root.all("schema") {
        for definition in schema.children.iter().filter(|child| !child.attribute("name").is_empty()) {
            let mut fields: Vec<Field> = Vec::new();
            for field in definition.all("element").into_iter().chain(definition.all("attribute")) {
                let attribute = field.name == "attribute";
                let least = match field.attribute("use") {
                    "" if attribute => "0",
                    _ => field.attribute("minOccurs"),
                };
                let or_one = |value: &str| if value.is_empty() { "1".to_owned() } else { value.to_owned() };
                fields.push(Field {
                    name: field.attribute("name").to_owned(),
                    kind: field.attribute("type").rsplit(':').next().unwrap().to_owned(),
                    least: or_one(least),
                    most: or_one(field.attribute("maxOccurs")),
                    nillable: field.attribute("nillable") == "true",
                    attribute,
                });
            }
            for word in definition.all("enumeration").into_iter().chain(definition.all("pattern")) {
                let name = word.attribute("value").to_owned();
                fields.push(Field {
                    name,
                    kind: String::new(),
                    least: String::new(),
                    most: String::new(),
                    nillable: false,
                    attribute: false,
                });
            }
            facts.insert(format!("{} {}", definition.name, definition.attribute("name")), fields);
        }
    }
    facts
}

fn own(service: Service) -> String {
    wsdl::document(service, "http://host:8530/A/B.asmx?x=\"1\"&y=<2>")
}

#[test]
fn the_facts_are_those_of_the_published_definitions() {
    for (service, file) in [
        (Service::SimpleAuth, "wsdl/simple-auth.wsdl"),
        (Service::Client, "wsdl/client.wsdl"),
        (Service::Reporting, "wsdl/server-reporting.wsdl"),
        (Service::DssAuth, "wsdl/dss-auth.wsdl"),
        (Service::ServerSync, "wsdl/server-sync.wsdl"),
    ] {
        let Some(published) = recorded(file) else { return };
        let published = facts(&published);
        let own = facts(own(service).as_bytes());
        for (name, fields) in &own {
            // MS-WUSP does not list Ping; every sister service has it (MS-WSUSSS 6). The driver calls of
            // servers are in the text of MS-WSUSSS 3.1.4.7 and 3.1.4.8 only.
            let elsewhere = match service {
                Service::SimpleAuth => name.contains("Ping") || name.ends_with("MonitoredServicesResponse"),
                Service::ServerSync => name.contains("Driver") || name.contains("HardwareId"),
                _ => false,
            };
            if !elsewhere {
                assert_eq!(Some(fields), published.get(name), "{file}: {name}");
            }
        }
        for name in published.keys() {
            assert!(own.contains_key(name), "{file}: {name} is missing");
        }
    }
}

#[test]
fn the_half_for_agents_is_what_agents_know() {
    let Some(published) = recorded("wsdl/client-reporting.wsdl") else { return };
    let own = facts(own(Service::Reporting).as_bytes());
    for (name, fields) in facts(&published) {
        assert_eq!(own.get(&name), Some(&fields), "{name}");
    }
}

#[test]
fn ping_has_the_facts_of_a_sister_service() {
    let Some(published) = recorded("wsdl/dss-auth.wsdl") else { return };
    let (published, own) = (facts(&published), facts(own(Service::SimpleAuth).as_bytes()));
    for name in ["element Ping", "element PingResponse", "complexType MonitoredServicesResponse"] {
        assert_eq!(own.get(name), published.get(name), "{name}");
    }
}

#[test]
fn every_operation_is_bound_in_both_versions_to_the_given_location() {
    for service in Service::ALL {
        let document = own(service);
        let root = parse(document.as_bytes());
        use sluicegate_soap::{client, dss_auth, reporting, server_reporting, server_sync, simple_auth};
        let operations: Vec<Operation> = match service {
            Service::SimpleAuth => simple_auth::Request::OPERATIONS.to_vec(),
            Service::Client => client::Request::OPERATIONS.to_vec(),
            Service::Reporting => {
                [reporting::Request::OPERATIONS, server_reporting::Request::OPERATIONS].concat()
            }
            Service::DssAuth => dss_auth::Request::OPERATIONS.to_vec(),
            Service::ServerSync => server_sync::Request::OPERATIONS.to_vec(),
        };
        let bindings = root.all("binding");
        let bound: Vec<&Node> = bindings.into_iter().filter(|node| !node.children.is_empty()).collect();
        assert_eq!(bound.len(), 2, "{service:?}");
        for binding in bound {
            let actions: Vec<&str> = binding
                .all("operation")
                .iter()
                .map(|node| node.attribute("soapAction"))
                .filter(|a| !a.is_empty())
                .collect();
            let expected: Vec<String> = operations.iter().map(Operation::soap_action).collect();
            assert_eq!(actions, expected, "{service:?}");
        }
        let addresses = root.all("address");
        assert_eq!(addresses.len(), 2);
        for address in addresses {
            assert_eq!(
                address.attribute("location"),
                "http://host:8530/A/B.asmx?x=&quot;1&quot;&amp;y=&lt;2&gt;"
            );
        }
    }
}

/// Elements that agents really send or that name arrays as they do, none of which the schema knows.
const BEYOND_THE_SCHEMA: [&str; 6] = [
    "AlsoPerformRegularSync",
    "ProductsParameters",
    "extensionDrivers",
    "deviceAttributes",
    "SkipProviderFiltering",
    "IsGeneric",
];

/// Checks names, order and numbers of an element's children against a type.
fn check(node: &Node, kind: &str, facts: &BTreeMap<String, Vec<Field>>) {
    let Some(fields) = facts.get(kind) else {
        assert!(node.children.is_empty(), "{} holds elements but is a {kind}", node.name);
        return;
    };
    let mut children =
        node.children.iter().filter(|child| !BEYOND_THE_SCHEMA.contains(&child.name.as_str())).peekable();
    for field in fields.iter().filter(|field| field.attribute) {
        let present = node.attributes.contains_key(&field.name);
        assert!(present || field.least == "0", "{} lacks the attribute {}", node.name, field.name);
    }
    for field in fields.iter().filter(|field| !field.attribute) {
        let mut count = 0;
        while children.peek().is_some_and(|child| child.name == field.name) {
            check(children.next().unwrap(), &format!("complexType {}", field.kind), facts);
            count += 1;
        }
        assert!(count > 0 || field.least == "0", "{} lacks {}", node.name, field.name);
        assert!(count < 2 || field.most == "unbounded", "{} has {count} {}", node.name, field.name);
    }
    if let Some(left) = children.next() {
        panic!("{} of {} is not in {kind}, or not in its place", left.name, node.name);
    }
}

fn check_message(message: &[u8], operation: Operation, suffix: &str) {
    let facts = facts(own(operation.service).as_bytes());
    let root = parse(message);
    let name = format!("{}{suffix}", operation.name);
    let content = *root.all(&name).first().unwrap_or_else(|| panic!("no {name}"));
    check(content, &format!("element {name}"), &facts);
}

#[test]
fn every_request_fits_the_schema() {
    for request in samples::client_requests() {
        check_message(&request.encode(SoapVersion::V11), request.operation(), "");
    }
    for request in samples::reporting_requests() {
        check_message(&request.encode(SoapVersion::V11), request.operation(), "");
    }
    for request in samples::simple_auth_requests() {
        check_message(&request.encode(SoapVersion::V11), request.operation(), "");
    }
    for request in server_samples::dss_auth_requests() {
        check_message(&request.encode(SoapVersion::V11), request.operation(), "");
    }
    for request in server_samples::sync_requests() {
        check_message(&request.encode(SoapVersion::V11), request.operation(), "");
    }
    for request in server_samples::rollup_requests() {
        check_message(&request.encode(SoapVersion::V11), request.operation(), "");
    }
}

#[test]
fn every_type_has_its_attributes_behind_the_sequence_of_its_elements() {
    for service in Service::ALL {
        for sequence in parse(own(service).as_bytes()).all("sequence") {
            for inside in &sequence.children {
                assert_eq!(
                    inside.name,
                    "element",
                    "{service:?}: {} {}",
                    inside.name,
                    inside.attribute("name")
                );
            }
        }
    }
}

#[test]
fn every_answer_fits_the_schema() {
    fn operation_of<'a, T: sluicegate_soap::ResponseMessage<'a>>(_: &T) -> Operation {
        T::OPERATION
    }
    macro_rules! check {
        ($answer:expr) => {{
            let answer = $answer;
            check_message(&answer.encode(SoapVersion::V11), operation_of(&answer), "Response");
        }};
    }
    every_answer!(check);
    every_server_answer!(check);
}
