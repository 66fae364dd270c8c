#![allow(clippy::unwrap_used)]

use ed25519_dalek::{Signature, Verifier, VerifyingKey};

use super::*;
use crate::door::snapshot::{CapSaid, HeldSaid, LadderSaid};
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
    Figures::default()
}

/// The next status, which the disk takes.
fn next(chain: &mut Chain, ms: i64, facts: &Facts) -> Option<Status> {
    let draft = chain.draft(WallTime(ms), facts, &figures(), &key())?;
    chain.show(draft, Taken::Yes)
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
    let status = next(&mut Chain::default(), 2_000, &facts()).unwrap();
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
        "late",
        "notices",
        "replay",
        "report",
    ] {
        assert!(document.contains_key(field), "{field}");
    }
    for path in [
        "/seats/cap",
        "/seats/cap_why",
        "/seats/measured",
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
        let status = next(&mut chain, n, &facts).unwrap();
        assert!(signed_by_its_key(&status));
        let expected = before.map_or(Value::Null, |before| json!(digest(&before.bytes)));
        assert_eq!((read(&status)["prev"].clone(), read(&status)["seq"].clone()), (expected, json!(n)));
        before = Some(status);
    }
}

#[test]
fn a_changed_status_is_not_signed() {
    let status = next(&mut Chain::default(), 0, &facts()).unwrap();
    let text = String::from_utf8(status.bytes.to_vec()).unwrap().replace("Soon", "Late");
    assert!(!signed_by_its_key(&Status { seq: 0, bytes: text.into() }));
}

#[test]
fn nothing_new_is_not_said_again() {
    let (mut chain, mut facts) = (Chain::default(), facts());
    assert!(next(&mut chain, 0, &facts).is_some());
    assert_eq!(next(&mut chain, 1_000, &facts), None);
    facts.state = State::Live;
    assert_eq!(next(&mut chain, 2_000, &facts).unwrap().seq, 1);
}

#[test]
fn the_chain_goes_on_after_a_restart() {
    let mut chain = Chain::default();
    let first = next(&mut chain, 0, &facts()).unwrap();
    let stopped = Kept { last: Some(first.bytes.clone()), used: chain.last_used() };
    let crashed = Kept { last: Some(first.bytes.clone()), used: Some(SET_ASIDE) };
    let namesake = Kept { last: None, used: Some(7) };
    for (kept, seq, prev) in [
        (stopped, 1, json!(digest(&first.bytes))),
        (crashed, SET_ASIDE + 1, json!(digest(&first.bytes))),
        (namesake, 8, Value::Null),
        (Kept::default(), 0, Value::Null),
    ] {
        let status = next(&mut Chain::after(&kept), 9, &facts()).unwrap();
        assert_eq!((status.seq, read(&status)["prev"].clone()), (seq, prev), "{kept:?}");
    }
}

/// Goal: whatever the disk takes and forgets, no number is ever shown with two documents.
/// Method: a disk that takes a status or not, in every pattern of ten; a crash after each step, from what
/// such a disk surely knows. What it said it did not take may be there all the same.
#[test]
fn no_number_is_shown_twice() {
    for pattern in 0..1_u32 << 10 {
        let (mut shown, mut kept, mut facts) = (std::collections::BTreeMap::new(), Kept::default(), facts());
        let mut chain = Chain::after(&kept);
        for step in 0..10 {
            facts.title = format!("title {step}");
            let draft = chain.draft(WallTime(step), &facts, &figures(), &key()).unwrap();
            let after = Kept { last: Some(draft.status.bytes.clone()), used: Some(draft.set_aside) };
            let taken = if pattern >> step & 1 == 1 { Taken::Yes } else { Taken::No };
            if taken == Taken::Yes || step % 3 == 0 {
                kept = after;
            }
            if let Some(status) = chain.show(draft, taken) {
                assert_eq!(shown.insert(status.seq, status.bytes), None, "{pattern:b} at {step}");
            }
            if step % 4 == 3 {
                chain = Chain::after(&kept);
            }
        }
    }
}

#[test]
fn numbers_are_set_aside_long_before_they_run_out_and_then_nothing_is_shown() {
    let (mut chain, mut facts, mut shown) = (Chain::default(), facts(), 0);
    let unset = Chain::default().draft(WallTime(0), &facts, &figures(), &key()).unwrap();
    assert_eq!(Chain::default().show(unset, Taken::No), None, "no number was set aside");
    next(&mut chain, 0, &facts).unwrap();
    chain.next = SET_ASIDE / 2;
    facts.title = "later".into();
    next(&mut chain, 0, &facts).unwrap();
    assert_eq!(chain.set_aside, Some(SET_ASIDE), "half of them are left");
    chain.next += 1;
    chain.said = None;
    next(&mut chain, 0, &facts).unwrap();
    assert_eq!(chain.set_aside, Some(chain.next - 1 + SET_ASIDE));
    chain.next += SET_ASIDE - 2;
    for n in 0..5 {
        facts.title = format!("title {n}");
        let draft = chain.draft(WallTime(0), &facts, &figures(), &key()).unwrap();
        shown += usize::from(chain.show(draft, Taken::No).is_some());
    }
    assert_eq!(shown, 2);
}

#[test]
fn a_room_without_tickets_says_so() {
    let document = Value::Object(say(&facts(), &figures()));
    for (path, value) in [
        ("/tickets", json!(0)),
        ("/now_serving", json!(0)),
        ("/waiting", json!(0)),
        ("/claim_ratio", Value::Null),
        ("/rate", json!({"p20": null, "p50": null, "p80": null})),
        ("/draw", Value::Null),
        ("/seats/cap", json!(0)),
        ("/seats/cap_why", json!("No seats are given out.")),
        ("/seats/measured", Value::Null),
        ("/ladder", json!({"step": 0, "why": "Everybody is served the full bit rate."})),
    ] {
        assert_eq!(document.pointer(path), Some(&value), "{path}");
    }
}

#[test]
fn the_door_says_what_it_measured() {
    let held = HeldSaid { count: 3, root: [1; 32], lot: vec![2; 32], seed: [3; 32] };
    let draw = DrawSaid {
        at: WallTime(1_000),
        source: Source::Operator,
        commitment: Some([4; 32]),
        held: Some(held.clone()),
    };
    let door = Snapshot {
        tickets: 5,
        now_serving: 2,
        waiting: 4,
        claim_ratio: Some(0.512_345),
        rate: Some(Rate { p20: 0.001_234_5, p50: 12_345.6, p80: 2.0 }),
        eta_hit_rate: Some(0.8123),
        draw: Some(draw.clone()),
        cap: Some(CapSaid { seats: 9, why: "Processor.".into(), measured: Some(12) }),
        ladder: Some(LadderSaid { step: 1, why: "Lower.".into() }),
    };
    let said = |door: &Snapshot| Value::Object(say(&facts(), &Figures { door: door.clone(), ..figures() }));
    let text = |byte: u8| json!(URL_SAFE_NO_PAD.encode([byte; 32]));
    let document = said(&door);
    for (path, value) in [
        ("/tickets", json!(5)),
        ("/now_serving", json!(2)),
        ("/waiting", json!(4)),
        ("/claim_ratio", json!(0.512)),
        ("/rate", json!({"p20": 0.00123, "p50": 12_300.0, "p80": 2.0, "eta_hit_rate": 0.812})),
        ("/draw/count", json!(3)),
        ("/draw/root", text(1)),
        ("/draw/reveal", text(2)),
        ("/draw/randomness", Value::Null),
        ("/draw/seed", text(3)),
        ("/draw/commitment", text(4)),
        ("/draw/source", json!("operator")),
        ("/seats/cap", json!(9)),
        ("/seats/cap_why", json!("Processor.")),
        ("/seats/measured", json!(12)),
        ("/ladder", json!({"step": 1, "why": "Lower."})),
    ] {
        assert_eq!(document.pointer(path), Some(&value), "{path}");
    }
    let beacon = DrawSaid { source: Source::Beacon { round: 77 }, ..draw.clone() };
    let document = said(&Snapshot { draw: Some(beacon), ..door.clone() });
    assert_eq!(document["draw"]["round"], json!(77));
    assert_eq!((&document["draw"]["reveal"], &document["draw"]["randomness"]), (&Value::Null, &text(2)));
    let document = said(&Snapshot { draw: Some(DrawSaid { held: None, ..draw }), ..door });
    assert_eq!((&document["draw"]["seed"], &document["draw"]["commitment"]), (&Value::Null, &text(4)));
}

#[test]
fn a_live_room_names_the_ledgers_head_once_a_minute_and_others_with_what_is_new() {
    let head = |lines| Some(crate::guard::report::Head { head: format!("hash {lines}"), lines });
    let live = Facts { state: State::Live, ..facts() };
    for (facts, lines, told) in
        [(&live, [1, 59, 60, 61, 119, 120], vec![1, 60, 120]), (&facts(), [1, 59, 60, 61, 119, 120], vec![1])]
    {
        let mut chain = Chain::default();
        let named = lines.into_iter().filter_map(|lines| {
            let figures = Figures { ledger: head(lines), ..figures() };
            let draft = chain.draft(WallTime(lines as i64), facts, &figures, &key())?;
            let said = read(&chain.show(draft, Taken::Yes)?)["guard"]["ledger"].clone();
            assert_eq!(said["head"], format!("hash {lines}"));
            said["lines"].as_u64()
        });
        assert_eq!(named.collect::<Vec<_>>(), told);
    }
}
