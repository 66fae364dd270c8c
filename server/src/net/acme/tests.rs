//! When to renew, when to try again, and what is kept.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::net::{self, Bound, redirect};
use crate::shutdown;

fn spec(folder: &Path) -> AcmeSpec {
    AcmeSpec {
        domains: vec!["radio.example".to_owned()],
        directory: "https://127.0.0.1:1/directory".to_owned(),
        authority_root: None,
        contact: None,
        folder: folder.join("acme"),
    }
}

#[test]
fn renewed_when_a_third_of_its_life_is_left() {
    let day_ms = 24 * 3_600 * 1_000;
    let now = WallTime(1_800_000_000_000);
    for (expires_in_days, due) in [(None, true), (Some(-1), true), (Some(29), true), (Some(31), false)] {
        let expires = expires_in_days.map(|days| WallTime(now.0 + days * day_ms));
        assert_eq!(is_due(expires, now), due, "{expires_in_days:?}");
    }
}

#[test]
fn failures_wait_longer_each_time() {
    for (failures, seconds) in [(0, 21_600), (1, 300), (2, 600), (3, 1_200), (8, 21_600), (u32::MAX, 21_600)]
    {
        assert_eq!(wait_after(failures), Duration::from_secs(seconds), "after {failures}");
    }
}

#[test]
fn what_is_kept_is_whole_and_private() {
    let folder = tempfile::tempdir().expect("a folder");
    let store = Store::open(&spec(folder.path())).expect("it can be made");
    store.write(&store.key, b"first").expect("written");
    store.write(&store.key, b"second").expect("written");
    assert_eq!(fs::read(&store.key).expect("read"), b"second");
    let mode = fs::metadata(&store.key).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(store.account_for("anywhere").is_none());
}

#[tokio::test]
async fn an_authority_that_cannot_be_reached_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = spec(folder.path());
    let store = Store::open(&spec).expect("it can be made");
    let wrong = renew(&spec, &store, &Challenges::default()).await.expect_err("nobody is there").to_string();
    assert!(wrong.contains("https://127.0.0.1:1/directory"), "{wrong}");
    let none = AcmeSpec { domains: Vec::new(), ..spec };
    assert!(matches!(Store::open(&none), Err(AcmeError::NoDomain)));
}

#[tokio::test]
async fn a_whole_exchange_ends_with_a_certificate_that_is_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_trigger, shutdown) = shutdown::pair();
    let bound = Bound::open(&["127.0.0.1:0".parse().expect("an address")]).expect("a free port");
    let (port_80, challenges) = (bound.addrs()[0], Challenges::default());
    let app = redirect::router(redirect::Places { public_port: 443, stage: None }, challenges.clone());
    net::serve(bound, authority::spec("redirect", None), app, shutdown.clone());
    let (authority, root) = authority::start(folder.path(), port_80, shutdown.clone());
    let spec = AcmeSpec {
        directory: authority.directory(),
        authority_root: Some(root),
        contact: Some("mailto:ops@radio.example".to_owned()),
        ..spec(folder.path())
    };
    let metrics = Metrics::new(folder.path());
    let fetched = Certificates::empty();
    let with = (challenges.clone(), metrics.clone());
    keep(spec.clone(), fetched.clone(), with.clone(), shutdown.clone()).expect("it begins");
    let there = async {
        while !fetched.is_ready() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), there).await.expect("it was fetched");
    let year_2100 = WallTime::parse("2100-03-09T00:00:00Z");
    assert_eq!(fetched.expires(), year_2100);
    let asked = std::mem::take(&mut authority.seen().asked);
    let distinct: std::collections::BTreeSet<_> = asked.iter().map(String::as_str).collect();
    let whole =
        ["/account", "/authorization", "/certificate", "/challenge", "/finalize", "/order", "/order/1"];
    assert_eq!(distinct.into_iter().collect::<Vec<_>>(), whole, "{asked:?}");
    assert_eq!(authority.seen().contact, serde_json::json!(["mailto:ops@radio.example"]));
    // A node that starts again presents what it kept, and asks nobody.
    let kept = Certificates::empty();
    keep(spec.clone(), kept.clone(), with, shutdown).expect("it begins");
    assert_eq!(kept.expires(), year_2100);
    // A renewal uses the account there is.
    let store = Store::open(&spec).expect("it is there");
    renew(&spec, &store, &challenges).await.expect("renewed");
    assert!(!authority.seen().asked.iter().any(|path| path == "/account"));
    // A name more, and what is kept is no longer enough.
    assert_eq!(store.names(), ["radio.example"]);
    assert_ne!(store.names(), [spec.domains[0].clone(), "stage.example".to_owned()]);
}
