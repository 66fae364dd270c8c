//! Goal: whoever reads docs/draw.md gets the ranks that the door gives. Method: evenings are published as
//! JSON, docs/verify-draw.py recomputes every rank from it, and each is compared; then something published is
//! changed, and the verifier must say so.
#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use tribune_core::door::Doorkeeper;
use tribune_core::door::arrivals::Issued;
use tribune_core::door::doorkeeper::{Announced, Opening, Place};
use tribune_core::door::draw::{Source, commitment};
use tribune_core::door::merkle::Leaf;
use tribune_core::door::ticket::Holder;
use tribune_core::room::{Facts, Name};
use tribune_core::status::{Chain, Figures, Taken};
use tribune_core::time::{Time, WallTime};

const OPENED: WallTime = WallTime(1_723_507_200_000);
const LOT: [u8; 32] = [0x77; 32];

/// What is published of an evening, and what the door said to each ticket.
struct Evening {
    status: Value,
    minutes: Vec<Value>,
    list: Vec<u8>,
    ranks: Vec<u64>,
}

/// Tickets in each of some seconds; the draw is held at a second, 0 for a room without a schedule.
fn evening(seconds: &[(u32, u32)], draw_s: u32, source: Source) -> Evening {
    let committed = (source == Source::Operator).then(|| commitment(&LOT));
    let announced = Announced {
        at: WallTime(OPENED.0 + i64::from(draw_s) * 1_000),
        closes_before: draw_s,
        source,
        commitment: committed,
    };
    let mut door = Doorkeeper::open(Opening { announced, start: None, cap: 1, claims_per_s_max: 10 });
    let (mut tickets, mut list) = (Vec::<Issued>::new(), Vec::new());
    for (second, count) in seconds {
        for n in 0..*count {
            let holder = Holder(std::array::from_fn(|place| (n as usize + place) as u8));
            let issued = door.issue(*second, holder).unwrap();
            list.extend(Leaf { serial: issued.serial, second: issued.second, holder }.bytes());
            tickets.push(issued);
        }
    }
    door.tick(Time::ZERO, 600);
    door.hold_draw(&LOT).unwrap();
    let rank = |ticket: &Issued| match door.place(Time::ZERO, *ticket).unwrap() {
        Place::InLine { rank, .. } | Place::Called { rank } => rank.0,
        other => panic!("{other:?}"),
    };
    let facts = Facts::new(Name::parse("debate").unwrap(), "Debate".into());
    let figures = Figures { door: door.snapshot(), ..Figures::default() };
    let mut chain = Chain::default();
    let draft = chain.draft(OPENED, &facts, &figures, &SigningKey::from_bytes(&[1; 32])).unwrap();
    let status = chain.show(draft, Taken::Yes).unwrap();
    Evening {
        status: serde_json::from_slice(&status.bytes).unwrap(),
        minutes: (0..10).map(|no| door.arrivals().minute(no).unwrap().document("debate", OPENED)).collect(),
        list,
        ranks: tickets.iter().map(rank).collect(),
    }
}

impl Evening {
    fn verify(&self, name: &str, more: &[&str]) -> Output {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let write = |file: String, bytes: &[u8]| {
            let path = folder.join(file);
            std::fs::write(&path, bytes).unwrap();
            path
        };
        let status = write("status".into(), self.status.to_string().as_bytes());
        let list = write("list".into(), &self.list);
        let minutes = self.minutes.iter().enumerate();
        let minutes = minutes.map(|(no, minute)| write(no.to_string(), minute.to_string().as_bytes()));
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/verify-draw.py");
        let mut python = Command::new("python3");
        python.arg(script).arg(status).args(minutes).arg("--list").arg(list).args(more);
        python.output().expect("python3 is there")
    }
}

fn crowd() -> Evening {
    evening(
        &[(0, 40), (3, 1), (59, 700), (60, 2), (61, 300), (119, 5), (130, 1), (131, 333)],
        61,
        Source::Operator,
    )
}

#[test]
fn every_rank_is_recomputed() {
    let beacon = Source::Beacon { round: 4_000_000 };
    for (name, evening) in [
        ("draw-crowd", crowd()),
        ("draw-beacon", evening(&[(0, 257), (70, 16), (71, 17), (72, 4), (73, 3), (74, 2)], 60, beacon)),
        ("draw-none", evening(&[(0, 5), (1, 64), (2, 65)], 0, Source::Operator)),
        ("draw-one", evening(&[(0, 1), (100, 1)], 60, Source::Operator)),
    ] {
        let said = evening.verify(name, &["--all"]);
        assert!(said.status.success(), "{name}: {}", String::from_utf8_lossy(&said.stderr));
        let ranks: Vec<u64> = serde_json::from_slice(&said.stdout).unwrap();
        assert_eq!(ranks, evening.ranks, "{name}");
    }
}

#[test]
fn whatever_is_changed_afterwards_is_seen() {
    let changed = |path: &str, value: Value| {
        let mut evening = crowd();
        *evening.status.pointer_mut(path).unwrap() = value;
        evening
    };
    let mut moved = crowd();
    moved.minutes[0]["counts"][3] = json!(2);
    let mut listed = crowd();
    listed.list[19] ^= 1;
    let zeros = json!("A".repeat(43));
    for (name, evening) in [
        ("draw-seed", changed("/draw/seed", zeros.clone())),
        ("draw-reveal", changed("/draw/reveal", zeros.clone())),
        ("draw-root", changed("/draw/root", zeros)),
        ("draw-count", changed("/draw/count", json!(742))),
        ("draw-arrivals", moved),
        ("draw-list", listed),
    ] {
        assert_eq!(evening.verify(name, &[]).status.code(), Some(1), "{name}");
    }
    let held = changed("/draw/seed", Value::Null);
    assert_eq!(held.verify("draw-unheld", &[]).status.code(), Some(2));
}
