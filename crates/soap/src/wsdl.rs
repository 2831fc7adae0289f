//! SOAP: service descriptions.
