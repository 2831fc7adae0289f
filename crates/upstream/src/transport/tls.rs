//! Transport: TLS as a client. Trusts the system's authorities and those of a given file; a certificate
//! that is refused is described, not just refused.

use super::certificate::{Reason, Rejected};
use super::der::{self, Facts};
use super::error::TransportError;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    AlertDescription, CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError,
    RootCertStore, SignatureScheme,
};
use sluicegate_catalog::{Limits, text_of};
use std::path::Path;
use std::sync::Arc;

/// Largest file of trusted certificates that is read, in bytes; the complete public list has some 250 KB.
const LARGEST_CA_FILE: u64 = 4 << 20;

/// The settings of every TLS connection of one transport.
pub(super) fn config(ca_file: Option<&Path>) -> Result<Arc<ClientConfig>, TransportError> {
    let mut roots = RootCertStore::empty();
    let mut given = Vec::new();
    if let Some(path) = ca_file {
        given = read_certificates(path)?;
        for certificate in &given {
            roots.add(certificate.clone()).map_err(|error| {
                TransportError::settings(format!(
                    "a certificate in {} is not usable: {error}",
                    path.display()
                ))
            })?;
        }
    }
    let system = rustls_native_certs::load_native_certs();
    for error in &system.errors {
        tracing::warn!(%error, "some of the system's trusted certificates could not be read");
    }
    let known = given.iter().chain(&system.certs).map(|one| der::facts(one).subject).collect();
    // Old authorities with oddities are passed over: one of them must not cost all the others.
    roots.add_parsable_certificates(system.certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let verifier = Verifier {
        // Without any authority there is nothing to ask; then only certificates given as they are pass.
        chains: match roots.is_empty() {
            true => None,
            false => Some(
                WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                    .build()
                    .map_err(|error| TransportError::settings(format!("TLS cannot be set up: {error}")))?,
            ),
        },
        given,
        known,
        provider: Arc::clone(&provider),
    };
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TransportError::settings(format!("TLS cannot be set up: {error}")))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TransportError> {
    let shown = path.display();
    let unreadable = |why: String| {
        TransportError::settings(format!("the file of trusted certificates {shown} cannot be read: {why}"))
    };
    let length = std::fs::metadata(path).map_err(|e| unreadable(e.to_string()))?.len();
    if length > LARGEST_CA_FILE {
        return Err(unreadable(format!("it has {length} bytes, more than {LARGEST_CA_FILE}")));
    }
    let text = std::fs::read(path).map_err(|e| unreadable(e.to_string()))?;
    let text = plain(text).map_err(unreadable)?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    let found = found.map_err(|e| unreadable(damage(&e)))?;
    if found.is_empty() {
        return Err(unreadable("it holds no PEM certificate (-----BEGIN CERTIFICATE-----)".to_owned()));
    }
    Ok(found)
}

/// The lines of a file as Windows saves it, too: in UTF-16, or with a byte order mark. Marks stand within it as well where
/// such files were put together.
fn plain(bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    const MARK: [u8; 3] = [0xef, 0xbb, 0xbf];
    let wide = matches!(
        bytes.as_slice(),
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [b'-' | b'\r' | b'\n', 0, ..] | [0, b'-' | b'\r' | b'\n', ..]
    );
    let bytes = match wide {
        true => {
            let text = text_of(&bytes, &Limits::default());
            let text = text.map_err(|_| "it begins as UTF-16 and is damaged behind that".to_owned())?;
            text.into_owned().into_bytes()
        }
        false => bytes,
    };
    let mut rest = bytes.as_slice();
    let mut plain = Vec::with_capacity(rest.len());
    while let Some((first, behind)) = rest.split_first() {
        match rest.strip_prefix(&MARK) {
            Some(behind) => rest = behind,
            None => {
                plain.push(*first);
                rest = behind;
            }
        }
    }
    Ok(plain)
}

/// What is wrong with a file of certificates.
fn damage(error: &pem::Error) -> String {
    match error {
        pem::Error::MissingSectionEnd { end_marker } => {
            // Only the words between the dashes.
            let label = String::from_utf8_lossy(end_marker);
            format!("it is cut off, the line `-----END {label}-----` is missing")
        }
        pem::Error::IllegalSectionStart { line } => {
            format!("the line `{}` is damaged", String::from_utf8_lossy(line))
        }
        pem::Error::Base64Decode(_) => "what lies between BEGIN and END is not Base64".to_owned(),
        other => other.to_string(),
    }
}

/// Verifies as webpki does, takes certificates that were given as they are, and describes the rest.
#[derive(Debug)]
struct Verifier {
    chains: Option<Arc<WebPkiServerVerifier>>,
    given: Vec<CertificateDer<'static>>,
    /// The names of the authorities that are trusted.
    known: Vec<String>,
    provider: Arc<CryptoProvider>,
}

/// Carries the description through rustls.
#[derive(Debug)]
struct Described(Rejected);

impl std::fmt::Display for Described {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl std::error::Error for Described {}

impl Verifier {
    /// A server that signed its own certificate is trusted when that very certificate was given. webpki
    /// refuses most of these, since tools mark them as authorities.
    fn given_as_it_is(
        &self,
        certificate: &CertificateDer<'_>,
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Option<Result<(), CertificateError>> {
        self.given.iter().find(|given| given.as_ref() == certificate.as_ref())?;
        let facts = der::facts(certificate);
        let now = stamp(now);
        if facts.not_after < now {
            return Some(Err(CertificateError::Expired));
        }
        if facts.not_before > now {
            return Some(Err(CertificateError::NotValidYet));
        }
        let named = ParsedCertificate::try_from(certificate)
            .and_then(|parsed| rustls::client::verify_server_name(&parsed, name));
        Some(match named {
            Err(Error::InvalidCertificate(error)) => Err(error),
            Err(_) => Err(CertificateError::BadEncoding),
            Ok(()) => Ok(()),
        })
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let verdict = match (self.given_as_it_is(end_entity, server_name, now), &self.chains) {
            (Some(verdict), _) => verdict.map_err(Error::InvalidCertificate),
            (None, Some(chains)) => chains
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .map(|_| ()),
            (None, None) => Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)),
        };
        match verdict {
            Ok(()) => Ok(ServerCertVerified::assertion()),
            Err(Error::InvalidCertificate(why)) => {
                Err(described(describe(&why, end_entity, intermediates, &self.known, now)))
            }
            Err(other) => Err(other),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, cert, dss, known)
            .map_err(|error| too_weak(error, cert))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, cert, dss, known)
            .map_err(|error| too_weak(error, cert))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A description on its way through rustls.
fn described(rejected: Rejected) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(Described(rejected)))))
}

/// The proof of a server whose own key is too short fails like any other one.
fn too_weak(error: Error, certificate: &CertificateDer<'_>) -> Error {
    let facts = der::facts(certificate);
    match (&error, facts.short_key()) {
        (Error::InvalidCertificate(CertificateError::BadSignature), Some(bits)) => described(Rejected {
            subject: facts.subject,
            issuer: facts.issuer,
            reason: Reason::ShortKey { bits },
        }),
        _ => error,
    }
}

/// Finds the certificate of the chain that the refusal is about.
fn describe(
    why: &CertificateError,
    end_entity: &CertificateDer<'_>,
    intermediates: &[CertificateDer<'_>],
    known: &[String],
    now: UnixTime,
) -> Rejected {
    let leaf = der::facts(end_entity);
    let chain: Vec<Facts> = intermediates.iter().map(|c| der::facts(c)).collect();
    let now = stamp(now);
    let of = |facts: Facts, reason| Rejected { subject: facts.subject, issuer: facts.issuer, reason };
    match why {
        // A certificate that signed itself is refused as an authority where a server's is wanted; what an
        // administrator has to know is that nobody vouches for it.
        CertificateError::UnknownIssuer | CertificateError::Other(_)
            if leaf.issuer == leaf.subject || *why == CertificateError::UnknownIssuer =>
        {
            let last = last_issuer(&leaf, &chain);
            Rejected { subject: leaf.subject, issuer: last, reason: Reason::UnknownIssuer }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            let over = |facts: &Facts| facts.not_after < now;
            let facts = if over(&leaf) { leaf } else { chain.into_iter().find(over).unwrap_or(leaf) };
            let until = der::readable(&facts.not_after);
            of(facts, Reason::Expired { until })
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            let ahead = |facts: &Facts| facts.not_before > now;
            let facts = if ahead(&leaf) { leaf } else { chain.into_iter().find(ahead).unwrap_or(leaf) };
            let from = der::readable(&facts.not_before);
            of(facts, Reason::NotYetValid { from })
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            // `DnsName("parent.example")` and the like: only what stands between the quotes is for people.
            let names = presented.iter().take(10).map(|name| plain_name(name)).collect();
            of(leaf, Reason::WrongName { names })
        }
        CertificateError::NotValidForName => {
            of(leaf, Reason::Other("it is for other names than this one".to_owned()))
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { signature_algorithm_id: method, .. } => {
            let by = |facts: &Facts| facts.method == *method;
            let facts = if by(&leaf) { leaf } else { chain.into_iter().find(by).unwrap_or(leaf) };
            of(facts, Reason::UnknownMethod { method: der::method(method) })
        }
        // What a key has signed that is too short fails like any other signature.
        CertificateError::BadSignature => {
            let short =
                std::iter::once(&leaf).chain(&chain).find_map(|of| Some((of.clone(), of.short_key()?)));
            match short {
                Some((facts, bits)) => of(facts, Reason::ShortKey { bits }),
                // Renewed with another key, or somebody else's of the same name.
                None if known.contains(&last_issuer(&leaf, &chain)) => {
                    let issuer = last_issuer(&leaf, &chain);
                    Rejected { subject: leaf.subject, issuer, reason: Reason::OtherKey }
                }
                None => of(leaf, Reason::Other("a signature in it does not fit".to_owned())),
            }
        }
        other => of(leaf, Reason::Other(other.to_string())),
    }
}

/// Whoever signed the last certificate of the chain.
fn last_issuer(leaf: &Facts, chain: &[Facts]) -> String {
    chain.iter().fold(
        leaf.issuer.clone(),
        |issuer, next| {
            if next.subject == issuer { next.issuer.clone() } else { issuer }
        },
    )
}

fn plain_name(presented: &str) -> String {
    let inner = presented.split_once('"').and_then(|(_, rest)| rest.split_once('"')).map(|(name, _)| name);
    let inner = inner.or_else(|| presented.split_once('(').map(|(_, rest)| rest.trim_end_matches(')')));
    inner.unwrap_or(presented).chars().filter(|c| !c.is_control()).take(100).collect()
}

/// `YYYYMMDDhhmmss`, as certificates say it.
fn stamp(now: UnixTime) -> String {
    let seconds = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
    let text = sluicegate_terms::Timestamp::from_unix_seconds(seconds).to_string();
    text.chars().filter(char::is_ascii_digit).take(14).collect()
}

/// Whether a connection ended since the server wants a certificate of its clients (RFC 8446 6.2). In TLS 1.3 that comes
/// in the place of its first answer.
pub(super) fn wants_certificate(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        // What an I/O error holds is not among its sources.
        let held = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        let inner =
            held.and_then(|held| held.downcast_ref::<Error>()).or_else(|| error.downcast_ref::<Error>());
        if let Some(Error::AlertReceived(AlertDescription::CertificateRequired)) = inner {
            return true;
        }
        next = error.source();
    }
    false
}

/// The description of a refused certificate inside a TLS failure, or what else was wrong.
pub(super) fn rejected(error: &std::io::Error) -> Result<Rejected, String> {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
    match inner {
        Some(Error::InvalidCertificate(CertificateError::Other(OtherError(described)))) => {
            described.downcast_ref::<Described>().map(|d| d.0.clone()).ok_or_else(|| described.to_string())
        }
        Some(Error::InvalidMessage(_)) => Err("the port does not speak TLS".to_owned()),
        Some(other) => Err(other.to_string()),
        None => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
