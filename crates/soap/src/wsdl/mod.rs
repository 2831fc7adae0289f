//! SOAP: service descriptions (WSDL 1.1), one per service, with SOAP 1.1 and 1.2 bindings. Proxy makers
//! read them; agents and servers do not.

mod client_types;
mod other_types;
mod rollup_types;
mod schema;
mod server_sync_types;

use crate::service::{Operation, Service};
use crate::simple_auth::MONITORABLE;
use crate::text::escape_into;
use schema::{Definition, put};

/// The namespace that real servers put the Guid type in.
const GUID_NAMESPACE: &str = "http://microsoft.com/wsdl/types/";

/// The description of a service that is at `location`, an absolute URL.
///
/// The published definitions of SimpleAuth and Reporting leave out `elementFormDefault="qualified"`,
/// but real servers qualify every element on these services too (observed-behaviour 1.1), so here it
/// says so. GetExtendedUpdateInfo2 has a SOAP 1.2 binding here, which the published one forgets, and
/// SimpleAuth has the Ping of its sister services (MS-WSUSSS 6).
#[must_use]
pub fn document(service: Service, location: &str) -> String {
    let (name, port) = match service {
        Service::SimpleAuth => ("SimpleAuth", "SimpleAuthSoap"),
        Service::Client => ("Client", "ClientSoap"),
        Service::Reporting => ("WebService", "WebServiceSoap"),
        Service::DssAuth => ("DssAuthWebService", "DssAuthWebServiceSoap"),
        Service::ServerSync => ("ServerSyncProxy", "ServerSyncProxySoap"),
    };
    let operations = &operations_of(service);
    let namespace = service.namespace();
    let mut out = String::with_capacity(64 << 10);
    put(
        &mut out,
        &[
            "<?xml version=\"1.0\" encoding=\"utf-8\"?><wsdl:definitions",
            " xmlns:wsdl=\"http://schemas.xmlsoap.org/wsdl/\" xmlns:s=\"http://www.w3.org/2001/XMLSchema\"",
            " xmlns:soap=\"http://schemas.xmlsoap.org/wsdl/soap/\"",
            " xmlns:soap12=\"http://schemas.xmlsoap.org/wsdl/soap12/\" xmlns:tns=\"",
            namespace,
            "\" xmlns:s2=\"",
            GUID_NAMESPACE,
            "\" xmlns:m=\"",
            MONITORABLE,
            "\" targetNamespace=\"",
            namespace,
            "\"><wsdl:types>",
        ],
    );
    types(&mut out, service);
    out.push_str("</wsdl:types>");
    messages(&mut out, operations);
    port_type(&mut out, port, operations);
    let ports = [(port.to_owned(), "soap"), (format!("{port}12"), "soap12")];
    for (binding_name, prefix) in &ports {
        binding(&mut out, binding_name, port, prefix, operations);
    }
    let mut escaped = Vec::new();
    escape_into(&mut escaped, location);
    let location = String::from_utf8(escaped).unwrap_or_default().replace('"', "&quot;");
    put(&mut out, &["<wsdl:service name=\"", name, "\">"]);
    for (port, prefix) in &ports {
        put(&mut out, &["<wsdl:port name=\"", port, "\" binding=\"tns:", port, "\">"]);
        put(&mut out, &["<", prefix, ":address location=\"", &location, "\"/></wsdl:port>"]);
    }
    out.push_str("</wsdl:service></wsdl:definitions>");
    out
}

/// Every operation of a service. Reporting has two halves, for agents and for servers.
fn operations_of(service: Service) -> Vec<Operation> {
    match service {
        Service::SimpleAuth => crate::simple_auth::Request::OPERATIONS.to_vec(),
        Service::Client => crate::client::Request::OPERATIONS.to_vec(),
        Service::Reporting => {
            [crate::reporting::Request::OPERATIONS, crate::server_reporting::Request::OPERATIONS].concat()
        }
        Service::DssAuth => crate::dss_auth::Request::OPERATIONS.to_vec(),
        Service::ServerSync => crate::server_sync::Request::OPERATIONS.to_vec(),
    }
}

fn types(out: &mut String, service: Service) {
    let (definitions, needs_guid): (&[&[Definition]], bool) = match service {
        Service::SimpleAuth => (&[other_types::SIMPLE_AUTH], false),
        Service::Client => (&[client_types::TYPES], true),
        Service::Reporting => (&[other_types::REPORTING, rollup_types::ROLLUP], true),
        Service::DssAuth => (&[server_sync_types::DSS_AUTH], true),
        Service::ServerSync => (&[server_sync_types::SERVER_SYNC], true),
    };
    let imports: &[&str] = if needs_guid { &[GUID_NAMESPACE] } else { &[] };
    schema::write(out, service.namespace(), definitions, imports);
    if needs_guid {
        put(
            out,
            &[
                "<s:schema elementFormDefault=\"qualified\" targetNamespace=\"",
                GUID_NAMESPACE,
                "\"><s:simpleType name=\"guid\"><s:restriction base=\"s:string\"><s:pattern value=\"",
                "[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
                "\"/></s:restriction></s:simpleType></s:schema>",
            ],
        );
    }
    if service != Service::Client {
        schema::write(out, MONITORABLE, &[other_types::MONITORABLE], &[]);
    }
}

/// What an operation's elements are called in this document.
fn prefix(operation: &Operation) -> &'static str {
    if operation.namespace == MONITORABLE { "m:" } else { "tns:" }
}

fn messages(out: &mut String, operations: &[Operation]) {
    for operation in operations {
        for (suffix, element) in [("SoapIn", ""), ("SoapOut", "Response")] {
            put(out, &["<wsdl:message name=\"", operation.name, suffix, "\"><wsdl:part name=\"parameters\""]);
            put(out, &[" element=\"", prefix(operation), operation.name, element, "\"/></wsdl:message>"]);
        }
    }
}

fn port_type(out: &mut String, port: &str, operations: &[Operation]) {
    put(out, &["<wsdl:portType name=\"", port, "\">"]);
    for Operation { name, .. } in operations {
        put(out, &["<wsdl:operation name=\"", name, "\"><wsdl:input message=\"tns:", name, "SoapIn\"/>"]);
        put(out, &["<wsdl:output message=\"tns:", name, "SoapOut\"/></wsdl:operation>"]);
    }
    out.push_str("</wsdl:portType>");
}

fn binding(out: &mut String, name: &str, port: &str, soap: &str, operations: &[Operation]) {
    put(out, &["<wsdl:binding name=\"", name, "\" type=\"tns:", port, "\"><", soap]);
    out.push_str(":binding transport=\"http://schemas.xmlsoap.org/soap/http\"/>");
    for operation in operations {
        put(out, &["<wsdl:operation name=\"", operation.name, "\"><", soap, ":operation soapAction=\""]);
        put(out, &[&operation.soap_action(), "\" style=\"document\"/>"]);
        for direction in ["input", "output"] {
            put(out, &["<wsdl:", direction, "><", soap, ":body use=\"literal\"/></wsdl:", direction, ">"]);
        }
        out.push_str("</wsdl:operation>");
    }
    out.push_str("</wsdl:binding>");
}
