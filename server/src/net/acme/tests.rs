//! When to renew, when to try again, and what is kept.

use std::os::unix::fs::PermissionsExt;

use super::*;

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
