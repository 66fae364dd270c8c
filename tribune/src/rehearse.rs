//! `tribune rehearse`: a real crowd on the wire, against a node of this machine.

use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use serde_json::{Value, json};
use tribune_core::guard::page::words::grouped;
use tribune_rehearsal::rehearse::{Felt, Progress, Rehearsal, rehearse};
use tribune_server::descriptors;

use crate::command::{exit, is_to_stop, stop_at_ctrl_c};

/// What is promised: of a hundred who ask for the program, 99 hear it within so many milliseconds.
const FIRST_SOUND_P99_MS: u32 = 1_000;
/// Nobody who hears is without sound for longer, in milliseconds: six parts.
const SILENCE_MAX_MS: u32 = 1_920;
/// What the room says of listeners is off by no more than this share, or by so many.
const COUNT_OFF_MAX: f64 = 0.02;
const COUNT_OFF_FEW: u64 = 5;
/// A generator that is later than this is what is measured, in milliseconds.
const LATE_P99_MS: u32 = 50;
/// How often it is asked what the room says, and how long that may take.
const STATUS_EVERY: Duration = Duration::from_secs(1);
const STATUS_PATIENCE: Duration = Duration::from_secs(5);
/// Descriptors for everything but people.
const DESCRIPTORS_KEPT: u64 = 512;
/// It ends so much later than the last would leave, for those who wait in line.
const PATIENCE: Duration = Duration::from_secs(300);

/// Has a crowd come to a room, as crowds come: who is due comes, whatever became of those before. Everybody
/// draws a ticket, waits as they are told, claims a seat, hears the program, and leaves.
///
/// For now it goes only to a node of this machine (127.0.0.0/8), without TLS, and everybody hears
/// live.opus. It is measured from when each was due. Ctrl-C ends it; what was measured until then is told,
/// and marked. Exit 0 when all was as promised, 1 when something was not, 2 when it cannot be rehearsed.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tribune rehearse http://127.0.0.1:8080/election --people 1000
  tribune rehearse http://127.0.0.1:8080/election --people 5000 --over 10 --stay 60
  tribune rehearse http://127.0.0.1:8080/election --people 500 --json | jq .first_sound_ms")]
pub struct Args {
    /// The room's page.
    url: String,
    /// People who come.
    #[arg(long, default_value_t = 1_000, value_name = "N", value_parser = people())]
    people: u32,
    /// They come within so many seconds, evenly; with 0 all at once.
    #[arg(long, default_value_t = 1.0, value_name = "S")]
    over: f64,
    /// Each hears for so many seconds.
    #[arg(long, default_value_t = 20.0, value_name = "S")]
    stay: f64,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

fn people() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=1_000_000)
}

pub fn run(args: &Args) -> ExitCode {
    exit(tell(args))
}

/// Whether all was as promised.
fn tell(args: &Args) -> anyhow::Result<bool> {
    let is_time = |seconds: f64| seconds.is_finite() && (0.0..=86_400.0).contains(&seconds);
    ensure!(is_time(args.over) && is_time(args.stay), "--over and --stay are seconds from 0 to 86,400.");
    let (node, room) = place(&args.url)?;
    // A listener is a descriptor here too.
    let has = descriptors::raise().context("The limit of open files cannot be raised.")?;
    ensure!(
        u64::from(args.people) + DESCRIPTORS_KEPT <= has,
        "{} people need as many descriptors, and this process may have {has}: raise the limit \
         (ulimit -n), or ask for fewer.",
        args.people
    );
    let status = format!("http://{node}/{room}/status");
    listening(&status).with_context(|| format!("There is no room to rehearse in at {}", args.url))?;
    let (over, stay) = (Duration::from_secs_f64(args.over), Duration::from_secs_f64(args.stay));
    let lasting = over + stay + PATIENCE;
    let rehearsal = Rehearsal { node, room: room.clone(), people: args.people, over, stay, lasting };
    stop_at_ctrl_c();
    let is_terminal = io::stderr().is_terminal();
    let mut told = |progress: &Progress| {
        if is_terminal {
            let Progress { passed, came, let_in, hearing } = *progress;
            let _ = write!(
                io::stderr(),
                "\r{:4} s: {came} came, {let_in} let in, {hearing} hear   ",
                passed.as_secs()
            );
        }
        !is_to_stop()
    };
    let said = says(status);
    let felt = rehearse(&rehearsal, &mut told, &mut || said.lock().ok()?.take())?;
    if is_terminal {
        let _ = writeln!(io::stderr());
    }
    let why = why(args, &felt);
    let document = document(args, &felt, &why);
    let text = if args.json { document.to_string() } else { told_of(&document, &felt, &why) };
    writeln!(io::stdout(), "{text}").context("What was measured cannot be written to standard output.")?;
    Ok(why.is_empty())
}

/// Where the node is, and the room.
fn place(url: &str) -> anyhow::Result<(SocketAddr, String)> {
    let bare = url.strip_prefix("http://").ok_or_else(|| {
        anyhow!(
            "{url} is no address of a room, like http://127.0.0.1:8080/election (https is not there yet)."
        )
    })?;
    let (host, room) = bare.trim_end_matches('/').split_once('/').unwrap_or((bare, ""));
    let is_name = |one: char| one.is_ascii_lowercase() || one.is_ascii_digit() || one == '-';
    ensure!(
        (1..=64).contains(&room.len()) && room.chars().all(is_name),
        "{url} names no room: http://127.0.0.1:8080/election does."
    );
    let host = if host.contains(':') { host.to_owned() } else { format!("{host}:80") };
    let mut places =
        host.to_socket_addrs().with_context(|| format!("{host} is no host that can be found"))?;
    let Some(node) = places.find(|one| one.is_ipv4() && one.ip().is_loopback()) else {
        bail!("A rehearsal goes to a node of this machine only, at 127.0.0.0/8; {host} is none.");
    };
    Ok((node, room.to_owned()))
}

/// What the room says of listeners, asked about once a second beside everything else.
fn says(status: String) -> Arc<Mutex<Option<u64>>> {
    let said = Arc::new(Mutex::new(None));
    let writes = Arc::downgrade(&said);
    std::thread::spawn(move || {
        while let Some(said) = writes.upgrade() {
            let now = listening(&status).ok();
            if let Ok(mut said) = said.lock() {
                *said = now;
            }
            drop(said);
            std::thread::sleep(STATUS_EVERY);
        }
    });
    said
}

/// How many the room says hear it.
fn listening(status: &str) -> anyhow::Result<u64> {
    let config = ureq::Agent::config_builder().timeout_global(Some(STATUS_PATIENCE));
    // It goes to this machine, whatever the environment or an answer says.
    let agent: ureq::Agent = config.proxy(None).max_redirects(0).build().into();
    let text = agent.get(status).call()?.body_mut().read_to_string()?;
    let said: Value = serde_json::from_str(&text)?;
    said["listening"].as_u64().context("its status does not say how many listen")
}

fn share(list: &[u32], percent: usize) -> Option<u32> {
    // The nearest rank: of fifty the 99th percentile is the last.
    list.get((list.len() * percent).div_ceil(100).max(1) - 1).copied()
}

/// What was not as promised, each in a sentence.
fn why(args: &Args, felt: &Felt) -> Vec<String> {
    let mut why = Vec::new();
    let mut must = |holds: bool, says: String| {
        if !holds {
            why.push(says);
        }
    };
    must(felt.is_whole, "It ended before everybody was done.".to_owned());
    let people = args.people;
    must(felt.heard == people, format!("{} of {people} heard nothing.", people.saturating_sub(felt.heard)));
    let wrong: u64 = felt.errors.values().sum();
    must(wrong == 0, format!("{wrong} requests were not answered as they should be."));
    let p99 = share(&felt.first_sound_ms, 99).unwrap_or_default();
    must(p99 <= FIRST_SOUND_P99_MS, format!("One of a hundred waited {p99} ms for the first sound."));
    let silence = felt.silence_ms.last().copied().unwrap_or_default();
    must(silence <= SILENCE_MAX_MS, format!("Somebody was without sound for {silence} ms."));
    must(felt.counts.is_some(), "The room did not say how many listen.".to_owned());
    must(felt.missing == 0, format!("{} parts were left out.", felt.missing));
    if let Some((told, known)) = felt.counts {
        let off = told.abs_diff(known.into());
        let most = COUNT_OFF_FEW.max((f64::from(known) * COUNT_OFF_MAX) as u64);
        must(off <= most, format!("The room said that {told} listen when {known} did."));
    }
    why
}

/// Whether it was the generator that was measured.
fn limited_by(felt: &Felt) -> Option<&'static str> {
    let is_late = share(&felt.late_ms, 99).is_some_and(|late| late > LATE_P99_MS);
    (is_late || felt.kept_home > 0).then_some("generator")
}

fn spread(list: &[u32], unit: f64) -> Value {
    let at = |percent| share(list, percent).map(|one| f64::from(one) / unit);
    json!({"p50": at(50), "p90": at(90), "p99": at(99), "max": at(100)})
}

fn document(args: &Args, felt: &Felt, why: &[String]) -> Value {
    let longer = felt.silence_ms.iter().filter(|ms| **ms > SILENCE_MAX_MS).count();
    json!({
        "scenario": args.url,
        "simulated": false,
        "whole": felt.is_whole,
        "people": args.people,
        "came": felt.came,
        "seated": felt.let_in,
        "heard": felt.heard,
        "hearing_max": felt.hearing_max,
        "still_waiting": felt.still_waiting,
        "waited_s": spread(&felt.waited_ms, 1_000.0),
        "first_sound_ms": spread(&felt.first_sound_ms, 1.0),
        "to_sound_ms": spread(&felt.to_sound_ms, 1.0),
        "gaps": {"count": longer, "longest_ms": felt.silence_ms.last().copied().unwrap_or_default()},
        "parts_missing": felt.missing,
        "errors": felt.errors,
        "put_off": felt.put_off,
        "counts": felt.counts.map(|(told, known)| json!({"told": told, "known": known})),
        "generator_late_ms": spread(&felt.late_ms, 1.0),
        "kept_home": felt.kept_home,
        "limited_by": limited_by(felt),
        "pass": why.is_empty(),
        "why": why,
    })
}

fn told_of(document: &Value, felt: &Felt, why: &[String]) -> String {
    let times = |list: &[u32]| match (share(list, 50), share(list, 99), share(list, 100)) {
        (Some(half), Some(most), Some(all)) => {
            let [half, most, all] = [half, most, all].map(|ms| grouped(ms.into()));
            format!("{half} ms (half), {most} (99 %), {all} at most")
        }
        _ => "nobody".to_owned(),
    };
    let mut lines = vec![
        format!(
            "{} came, {} were let in, {} heard it, {} at once",
            felt.came, felt.let_in, felt.heard, felt.hearing_max
        ),
        format!("to a seat     {}", times(&felt.waited_ms)),
        format!("first sound   {}", times(&felt.first_sound_ms)),
        format!("without sound {}", times(&felt.silence_ms)),
        format!("errors        {}, put off {}", document["errors"], felt.put_off),
        format!("counts        {}", document["counts"]),
        format!("generator     {} late", times(&felt.late_ms)),
    ];
    if limited_by(felt).is_some() {
        lines.push(
            "The generator was the bottleneck: what was measured is worse than what people would meet."
                .to_owned(),
        );
    }
    lines.push(if why.is_empty() {
        "As promised.".to_owned()
    } else {
        format!("Not as promised: {}", why.join(" "))
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_room_of_this_machine_is_one() {
        let (node, room) = place("http://127.0.0.7:8080/election/").expect("it is one");
        assert_eq!((node.to_string(), room.as_str()), ("127.0.0.7:8080".to_owned(), "election"));
        for (url, says) in [
            ("https://127.0.0.1/election", "https is not there yet"),
            ("http://192.0.2.1/election", "this machine only"),
            ("http://[::1]:80/election", "this machine only"),
            ("http://127.0.0.1:80", "names no room"),
            ("http://127.0.0.1:80/Not%20one", "names no room"),
            ("127.0.0.1/x", "is no address of a room"),
        ] {
            let wrong = format!("{:#}", place(url).expect_err(url));
            assert!(wrong.contains(says), "{url}: {wrong}");
        }
    }
}
