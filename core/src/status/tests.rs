#![allow(clippy::unwrap_used)]

use ed25519_dalek::{Signature, Verifier, VerifyingKey};

use super::*;
use crate::room::{Name, Notice, State};

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn facts() -> Facts {
    let mut facts = Facts::new(Name::parse("debate").unwrap(), "Le débat".into());
    facts.notices.push_back(Notice { at: WallTime(1_000), text: "Soon".into() });
    facts
}

fn figures() -> Figures {
    Figures { node_cap: 1_000, ..Figures::default() }
}

fn read(status: &Status) -> Map<String, Value> {
    serde_json::from_slice(&status.bytes).unwrap()
}

fn signed_by_its_key(status: &Status) -> bool {
    let mut document = read(status);
    let word = |value: Option<Value>| value.unwrap().as_str().unwrap().to_owned();
    let sig = URL_SAFE_NO_PAD.decode(word(document.remove("sig"))).unwrap();
    let key = URL_SAFE_NO_PAD.decode(word(document.get("key").cloned())).unwrap();
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    let sig = Signature::from_bytes(&sig.try_into().unwrap());
    key.verify(&serde_jcs::to_vec(&document).unwrap(), &sig).is_ok()
}

#[test]
fn it_has_every_field_of_the_wire() {
    let status = Chain::default().next(WallTime(2_000), &facts(), &figures(), &key()).unwrap();
    let document = read(&status);
    for field in [
        "room",
        "title",
        "state",
        "now",
        "starts_at",
        "started_at",
        "ended_at",
        "seq",
        "prev",
        "sig",
        "key",
        "tickets",
        "now_serving",
        "seats",
        "waiting",
        "turned_away",
        "listening",
        "peak",
        "replays",
        "claim_ratio",
        "rate",
        "draw",
        "program",
        "verdict",
        "ladder",
        "notices",
        "replay",
    ] {
        assert!(document.contains_key(field), "{field}");
    }
    for path in [
        "/seats/cap",
        "/seats/cap_why",
        "/seats/taken",
        "/seats/hls_estimate",
        "/rate/p20",
        "/rate/p50",
        "/rate/p80",
        "/program/head",
        "/program/parts",
        "/verdict/kind",
        "/verdict/self_inflicted",
        "/verdict/confidence",
        "/verdict/attack_share/requests",
        "/verdict/attack_share/newcomers",
        "/verdict/attack_share/connection_seconds",
        "/verdict/since",
        "/verdict/because",
        "/ladder/step",
        "/ladder/why",
        "/notices/0/at",
        "/notices/0/text",
    ] {
        assert!(Value::Object(document.clone()).pointer(path).is_some(), "{path}");
    }
    assert_eq!(document["now"], "1970-01-01T00:00:02.000Z");
}

#[test]
fn every_status_is_signed_and_points_at_the_one_before() {
    let (mut chain, mut facts, mut before) = (Chain::default(), facts(), None::<Status>);
    for n in 0..4 {
        facts.title = format!("title {n}");
        let status = chain.next(WallTime(n), &facts, &figures(), &key()).unwrap();
        assert!(signed_by_its_key(&status));
        let expected = before.map_or(Value::Null, |before| json!(digest(&before.bytes)));
        assert_eq!((read(&status)["prev"].clone(), read(&status)["seq"].clone()), (expected, json!(n)));
        before = Some(status);
    }
}

#[test]
fn a_changed_status_is_not_signed() {
    let status = Chain::default().next(WallTime(0), &facts(), &figures(), &key()).unwrap();
    let text = String::from_utf8(status.bytes.to_vec()).unwrap().replace("Soon", "Late");
    assert!(!signed_by_its_key(&Status { seq: 0, bytes: text.into() }));
}

#[test]
fn nothing_new_is_not_said_again() {
    let (mut chain, mut facts) = (Chain::default(), facts());
    assert!(chain.next(WallTime(0), &facts, &figures(), &key()).is_some());
    assert_eq!(chain.next(WallTime(1_000), &facts, &figures(), &key()), None);
    facts.state = State::Live;
    assert_eq!(chain.next(WallTime(2_000), &facts, &figures(), &key()).unwrap().seq, 1);
}

#[test]
fn the_chain_goes_on_after_a_restart() {
    let first = Chain::default().next(WallTime(0), &facts(), &figures(), &key()).unwrap();
    let second = Chain::after(&first.bytes).unwrap().next(WallTime(9), &facts(), &figures(), &key()).unwrap();
    assert_eq!((second.seq, read(&second)["prev"].clone()), (1, json!(digest(&first.bytes))));
    for damaged in [b"".as_slice(), b"{}", b"{\"seq\":-1}", b"[1]", b"{\"seq\":18446744073709551615}"] {
        assert!(Chain::after(damaged).is_err());
    }
}

#[test]
fn the_lower_cap_holds_and_says_whose_it_is() {
    for (host, cap, why) in [
        (None, 1_000, "The limit configured for this node."),
        (Some(40), 40, "Set by the host."),
        (Some(0), 0, "Set by the host."),
        (Some(2_000), 1_000, "The limit configured for this node."),
    ] {
        let facts = Facts { cap: host, ..facts() };
        let figures = Figures { seats_taken: 5, seats_hls: 3, ..figures() };
        let expected = json!({"cap": cap, "cap_why": why, "taken": 5, "hls_estimate": 3});
        assert_eq!(seats(&facts, &figures), expected);
    }
}
