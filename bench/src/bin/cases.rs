//! Labelled cases of HTTP traffic over real sockets against a running node: is its verdict right, how soon,
//! and how do those fare who came to listen? Method: `tribune_rehearsal::replay`. And what who is shed costs
//! beside who is served: `tribune_bench::cost`.

use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use serde_json::json;
use tribune_bench::node::binary;
use tribune_bench::replayed::{Attack, Case, run};
use tribune_bench::{cost, labelled};

const USAGE: &str = "usage: cases FOLDER [CASE]…
       cases cost

Plays every labelled case (*.csv.gz) in FOLDER at its own pace against a fresh node on 127.0.0.1, and some
that are made here: o1, twenty listeners and nothing else; nat, 400 listeners nearly all of whom come from
three addresses; and two listeners a second who come and go while somebody attacks for twenty seconds: fresh,
4,000 addresses, and tool:NAME, the real program (tool:wrk, tool:ab, tool:siege, tool:h2load, tool:hey,
tool:slowhttptest-h, -b and -x). With CASE only those whose names begin so. A case takes a minute and a half.
Prints one line of JSON a case; says on standard error what it does. A case whose program is not installed is
not played; then the command fails at the end.

`cases cost` measures what a request costs the node that is served, put off or refused (docs/guard.md).

TRIBUNE names the binary, else target/release/tribune.

Examples:
  cases ../shared/data/lab
  cases ../shared/data/lab c1 a2 nat tool:
  TRIBUNE=target/debug/tribune cases ../shared/data/lab o1";

fn main() -> anyhow::Result<()> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    if args.iter().any(|arg| arg == "--help" || arg == "-h") {
        writeln!(std::io::stdout(), "{USAGE}")?;
        return Ok(());
    }
    let (folder, wanted) = args.split_first().context(USAGE)?;
    let binary = binary();
    if !binary.exists() {
        bail!("There is no {}: build it with `make build`, or name another in TRIBUNE.", binary.display());
    }
    if folder == "cost" && wanted.is_empty() {
        writeln!(std::io::stdout(), "{}", cost::measure(progress)?)?;
        return Ok(());
    }
    let not_played = play(&labelled::cases(Path::new(folder))?, wanted)?;
    if !not_played.is_empty() {
        bail!("Not played: {}.", not_played.join("; "));
    }
    Ok(())
}

/// Plays those that are wanted; gives those that could not be, and why.
fn play(found: &[(String, PathBuf)], wanted: &[String]) -> anyhow::Result<Vec<String>> {
    let names: Vec<String> = found.iter().map(|(name, _)| name.clone()).chain(Case::made_names()).collect();
    if let Some(unknown) = wanted.iter().find(|one| !names.iter().any(|name| name.starts_with(one.as_str())))
    {
        bail!("{unknown:?} is no case; there are {}.", names.join(", "));
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| name.starts_with(one.as_str()));
    let mut not_played = Vec::new();
    for name in names.iter().filter(|name| is_wanted(name)) {
        let case = match found.iter().find(|(other, _)| other == name) {
            Some((name, path)) => Case::of(name, &labelled::read(path)?)?,
            None => Case::made(name).context("it is made here")?,
        };
        if let Some(why) = case.attack.as_ref().and_then(Attack::missing) {
            progress(&format!("{name}: not played, {why}"));
            writeln!(std::io::stdout(), "{}", json!({"case": name, "not_played": why}))?;
            not_played.push(format!("{name}, {why}"));
            continue;
        }
        progress(&format!(
            "{name}: {} people, {} attacking connections, {:.0} s",
            case.script.people.len(),
            case.script.attackers.len(),
            case.script.lasting().as_secs_f64(),
        ));
        let measured = run(&case).with_context(|| format!("{name} could not be played"))?;
        writeln!(std::io::stdout(), "{measured}")?;
        progress(&format!("{name}: right: {}, after {} s", measured["right"], measured["right_after_s"]));
    }
    Ok(not_played)
}

fn progress(line: &str) {
    #[expect(clippy::print_stderr, reason = "somebody waits for it")]
    {
        eprintln!("cases: {line}");
    }
}
