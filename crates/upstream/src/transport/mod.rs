//! Transport: requests to an upstream server over HTTP and TLS, directly or through a proxy.
