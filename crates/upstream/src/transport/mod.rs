//! Transport: requests to an upstream server over HTTP/1.1 and TLS, directly or through a proxy, with a
//! typed failure for everything that can go wrong on the way. One [`Transport`] serves a whole run; it
//! keeps its connections.

mod advice;
mod answer;
mod certificate;
mod client;
mod connect;
mod der;
mod download;
mod error;
mod exchange;
mod neighbours;
mod no_proxy;
mod problem;
mod proxy_auth;
mod retry;
mod settings;
mod stored;
mod tls;
mod url;
mod verdict;

pub use answer::{Answer, AnswerLimits};
pub use certificate::{Reason, Rejected};
pub use client::Transport;
pub use download::Download;
pub use error::{Failure, NOT_ALLOWED, Peer, TransportError};
pub use neighbours::neighbours;
pub use no_proxy::{NoProxy, NoProxyError};
pub use problem::{Step, problem_of};
pub use retry::RetryPolicy;
pub use settings::{ProxyCredentials, ProxySettings, Schemes, TransportSettings, Waits};
pub use url::{Url, UrlError};
