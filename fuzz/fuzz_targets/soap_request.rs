//! SOAP requests of every service: read or refused; a request that was read is written and read again to
//! the same value.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluicegate_soap::{Limits, client, reporting, simple_auth};

fuzz_target!(|data: &[u8]| {
    let limits = Limits::REQUEST;
    if let Ok((version, request)) = client::Request::decode(data, None, &limits) {
        let again = request.encode(version);
        let (_, read) = client::Request::decode(&again, None, &limits).expect("what is written can be read");
        assert_eq!(read, request);
    }
    if let Ok((version, request)) = simple_auth::Request::decode(data, None, &limits) {
        let again = request.encode(version);
        let (_, read) = simple_auth::Request::decode(&again, None, &limits).expect("what is written can be read");
        assert_eq!(read, request);
    }
    if let Ok((version, request)) = reporting::Request::decode(data, None, &limits) {
        let again = request.encode(version);
        let (_, read) = reporting::Request::decode(&again, None, &limits).expect("what is written can be read");
        assert_eq!(read, request);
    }
});
