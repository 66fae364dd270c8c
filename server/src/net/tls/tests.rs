//! Each way in which a certificate or a key can be wrong has a sentence of its own, and none replaces one
//! that works.

use std::fs;

use rcgen::{CertificateParams, KeyPair};

use super::*;

fn pair(year: i32) -> (String, String) {
    let key = KeyPair::generate().expect("a key");
    let mut params = CertificateParams::new(["localhost".to_owned()]).expect("a name");
    params.not_after = rcgen::date_time_ymd(year, 3, 9);
    (params.self_signed(&key).expect("a certificate").pem(), key.serialize_pem())
}

struct Folder(tempfile::TempDir);

impl Folder {
    fn with(cert: &str, key: &str) -> (Self, Files) {
        let folder = Self(tempfile::tempdir().expect("a folder"));
        let files = Files { cert: folder.0.path().join("cert.pem"), key: folder.0.path().join("key.pem") };
        fs::write(&files.cert, cert).expect("written");
        fs::write(&files.key, key).expect("written");
        (folder, files)
    }
}

#[test]
fn each_way_to_be_wrong_has_its_sentence() {
    let (cert, key) = pair(2100);
    let (_, other_key) = pair(2100);
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let nonsense = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let damaged = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (cert, key, says) in [
        ("", key.as_str(), "cert.pem holds no certificate"),
        ("not PEM at all", &key, "cert.pem holds no certificate"),
        (&key, &key, "cert.pem holds no certificate"),
        (&cert, "", "key.pem holds no private key"),
        (&cert, &cert, "key.pem holds no private key"),
        (&cert, encrypted, "key.pem holds no private key"),
        (&cert, nonsense, "key.pem cannot be used"),
        (&cert, &other_key, "does not belong to the first certificate"),
        (damaged, &key, "the first certificate in"),
    ] {
        let (_folder, files) = Folder::with(cert, key);
        let wrong = Certificates::from_files(&files).expect_err(says).to_string();
        assert!(wrong.contains(says), "{wrong} should say: {says}");
    }
    let missing = Files { cert: "/nowhere/cert.pem".into(), key: "/nowhere/key.pem".into() };
    let wrong = Certificates::from_files(&missing).expect_err("missing").to_string();
    assert!(wrong.contains("cannot read /nowhere/cert.pem"), "{wrong}");
}

#[test]
fn a_certificate_tells_when_it_expires() {
    for (year, at) in [(2020, "2020-03-09T00:00:00.000Z"), (2100, "2100-03-09T00:00:00.000Z")] {
        let (cert, key) = pair(year);
        let (_folder, files) = Folder::with(&cert, &key);
        let certificates = Certificates::from_files(&files).expect("an expired one is presented too");
        assert_eq!(certificates.expires().map(WallTime::rfc3339).as_deref(), Some(at));
    }
}

#[test]
fn what_works_stays_when_the_new_files_do_not() {
    let (cert, key) = pair(2100);
    let (_folder, files) = Folder::with(&cert, &key);
    let certificates = Certificates::from_files(&files).expect("good files");
    let before = certificates.expires();
    fs::write(&files.key, pair(2099).1).expect("written");
    certificates.read(&files).expect_err("they do not match");
    assert_eq!(certificates.expires(), before);
    let (cert, key) = pair(2099);
    fs::write(&files.cert, cert).expect("written");
    fs::write(&files.key, key).expect("written");
    certificates.read(&files).expect("they match");
    assert_ne!(certificates.expires(), before);
}

#[tokio::test]
async fn a_hangup_reads_the_files_again() {
    let (cert, key) = pair(2100);
    let (folder, files) = Folder::with(&cert, &key);
    let certificates = Certificates::from_files(&files).expect("good files");
    let before = certificates.expires();
    let metrics = crate::ops::Metrics::new(folder.0.path());
    let (trigger, shutdown) = crate::shutdown::pair();
    let watching =
        certificates.clone().watch(files.clone(), metrics.clone(), shutdown).expect("signals work");
    tokio::task::yield_now().await;
    let (cert, key) = pair(2099);
    fs::write(&files.key, key).expect("written");
    fs::write(&files.cert, cert).expect("written");
    // SAFETY: raising a signal whose disposition the runtime has replaced is what this test is about.
    assert_eq!(unsafe { libc::raise(libc::SIGHUP) }, 0);
    while certificates.expires() == before {
        tokio::task::yield_now().await;
    }
    trigger.drain();
    watching.await.expect("it ended");
    assert!(metrics.text().contains("tribune_tls_certificate_expires_timestamp_seconds 40"), "in 2099");
}

#[test]
fn a_cut_certificate_has_no_expiry_and_does_no_harm() {
    let (cert, _) = pair(2100);
    let der = CertificateDer::from_pem_slice(cert.as_bytes()).expect("PEM");
    assert!(expiry::not_after(&der).is_some());
    for cut in 0..der.len() {
        assert_eq!(expiry::not_after(&der[..cut]), None, "cut at {cut}");
    }
}
