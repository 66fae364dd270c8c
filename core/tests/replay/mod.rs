//! Runs fuzz targets over their committed corpus, so that what a fuzzer once found stays found, and over
//! damaged copies of it, the same ones every time.

use std::path::Path;

/// A target takes any bytes and panics when something that must hold does not.
pub type Target = fn(&[u8]);

/// Damaged copies of one target's corpus in an ordinary run, at least one a file; `TRIBUNE_FUZZ_ROUNDS` asks
/// for so many a file.
const COPIES: u64 = 240;

/// The files of one target's corpus, by name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> =
        folder.read_dir().expect(target).map(|entry| entry.expect("readable").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no corpus");
    files.iter().map(|path| (path.display().to_string(), std::fs::read(path).expect("readable"))).collect()
}

/// Runs each target over its corpus.
pub fn whole(targets: &[(&str, Target)]) {
    for (name, target) in targets {
        for (_, bytes) in corpus(name) {
            target(&bytes);
        }
    }
}

/// Runs each target over damaged copies of its corpus.
pub fn damaged(targets: &[(&str, Target)]) {
    let asked = std::env::var_os("TRIBUNE_FUZZ_ROUNDS").and_then(|rounds| rounds.to_str()?.parse().ok());
    for (name, target) in targets {
        let corpus = corpus(name);
        let rounds: u64 = asked.unwrap_or(COPIES.div_ceil(corpus.len() as u64));
        for (path, whole) in corpus {
            for round in 0..rounds {
                let bytes = Damage(round).of(&whole);
                let survived = std::panic::catch_unwind(|| target(&bytes));
                assert!(survived.is_ok(), "{path}, damaged in round {round}: {bytes:02x?}");
            }
        }
    }
}

/// SplitMix64 (Steele, Lea and Flood, 2014) as the hand that does the damage.
struct Damage(u64);

impl Damage {
    fn draw(&mut self, below: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ mixed >> 31) % below.max(1) as u64) as usize
    }

    /// A copy with up to eight places changed: bits, extremes, pieces gone, doubled or moved, the end cut.
    fn of(mut self, whole: &[u8]) -> Vec<u8> {
        const EXTREMES: [&[u8]; 8] =
            [&[0], &[0xff], &[0x7f], &[0x80], &[0xff; 4], &[0; 4], &[0xff; 8], b"9999999999999999999"];
        let mut bytes = whole.to_vec();
        for _ in 0..=self.draw(8) {
            let from = self.draw(bytes.len());
            let to = (from + self.draw(40)).min(bytes.len());
            match self.draw(7) {
                0 | 1 => bytes.iter_mut().skip(from).take(1).for_each(|byte| *byte ^= 1 << self.draw(8)),
                2 => drop(bytes.drain(from..to)),
                3 => bytes.extend_from_within(from..to),
                4 => bytes.rotate_left(from),
                5 => bytes.truncate(to.max(bytes.len() / 4)),
                _ => {
                    let extreme = EXTREMES[self.draw(EXTREMES.len())];
                    let end = (from + extreme.len()).min(bytes.len());
                    drop(bytes.splice(from..end, extreme.iter().copied()));
                }
            }
        }
        bytes
    }
}
