//! A crowd at the door while a room is live: who is answered, how soon, what those inside lose by it, and
//! whether the host is still obeyed. Method: `docs/door.md`.
//!
//! Prints one line of JSON, with an idle thread's lateness beside it. `TRIBUNE` names the binary, else
//! `target/release/tribune`.

use std::io::Write;
use std::time::Duration;

use anyhow::Context;
use serde_json::json;
use tribune_bench::evening::{Evening, asks, merge, of_crowd};
use tribune_rehearsal::crowd::{ARRIVALS, Crowd};

const USAGE: &str = "usage: door PER_S SECONDS LISTENERS [page|ticket|both]
Example: door 10000 60 10000 both";

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().collect();
    let number = |at: usize| args.get(at).and_then(|text| text.parse::<u32>().ok()).context(USAGE);
    let (per_s, seconds, listeners) = (number(1)?, number(2)?, number(3)?);
    let kind = args.get(4).map_or("both", String::as_str);
    let lasting = Duration::from_secs(u64::from(seconds));
    let (came, inside) = Evening { lasting, listeners }.around(|address| {
        Crowd { node: address, wing: ARRIVALS, asks: asks(kind, address)?, per_s, lasting }.come()
    })?;
    let mut measured = json!({"measured": "door_crowd", "asked": kind, "per_s": per_s, "seconds": seconds});
    merge(&mut measured, of_crowd(&came));
    merge(&mut measured, inside);
    writeln!(std::io::stdout(), "{measured}")?;
    Ok(())
}
