//! Transport: certificates as old tools make them, in the order of `old_certificates.pem`: an authority, a server's
//! signed with SHA-1, an authority below it with a key of 1,024 bits, a server's that this one signed, a server's with
//! such a key, and one without a subject alternative name. Their keys are not kept.

use super::*;

const NOW: u64 = 1_800_000_000;

fn certificates() -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(include_bytes!("old_certificates.pem")).collect::<Result<_, _>>().unwrap()
}

/// What is said of a chain, and what to do.
fn refused(chain: &[CertificateDer<'static>]) -> (Rejected, String) {
    let mut roots = RootCertStore::empty();
    roots.add(certificates()[0].clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build();
    let verifier = Verifier { chains: Some(chains.unwrap()), given: Vec::new(), known: Vec::new(), provider };
    let (name, now) = (
        ServerName::try_from("localhost").unwrap(),
        UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW)),
    );
    let error = verifier.verify_server_cert(&chain[0], &chain[1..], &name, &[], now).unwrap_err();
    said(error)
}

fn said(error: Error) -> (Rejected, String) {
    let rejected = rejected(&std::io::Error::other(error)).unwrap();
    let text = format!("{rejected}; {}", rejected.advice("localhost:8531"));
    (rejected, text)
}

#[test]
fn a_signature_with_sha_1_is_named() {
    let (rejected, text) = refused(&certificates()[1..2]);
    assert_eq!(rejected.code(), "UssCommunicationError/CertificateRejected");
    assert!(text.contains("`sha1 leaf`, signed by `Old authority` with SHA-1 and RSA"), "{text}");
    assert!(text.contains("SHA-256"), "{text}");
}

#[test]
fn a_key_that_is_too_short_is_named_with_whose_it_is() {
    let all = certificates();
    let (rejected, text) = refused(&[all[3].clone(), all[2].clone()]);
    assert_eq!(rejected.code(), "UssCommunicationError/CertificateRejected");
    assert!(text.contains("that of `short authority` has 1024 bits") && text.contains("2,048"), "{text}");
    // The server's own shows when it proves that it has it.
    let bad = || Error::InvalidCertificate(CertificateError::BadSignature);
    let (_, text) = said(too_weak(bad(), &all[4]));
    assert!(text.contains("that of `short leaf` has 1024 bits"), "{text}");
    assert_eq!(too_weak(bad(), &all[1]), bad(), "a key of 2,048 bits is long enough");
}

#[test]
fn a_certificate_with_a_common_name_alone_names_no_host() {
    let (rejected, text) = refused(&certificates()[5..6]);
    assert_eq!(rejected.code(), "UssCommunicationError/CertificateWrongName");
    assert!(text.contains("no subject alternative name") && !text.contains("use one of the names"), "{text}");
    assert!(text.contains("with `localhost` as a subject alternative name"), "{text}");
}
