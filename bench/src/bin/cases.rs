//! Labelled cases of HTTP traffic over real sockets against a running node: is its verdict right, how soon,
//! and how do those fare who came to listen? Method: `tribune_rehearsal::replay`.

use std::io::Write;
use std::path::Path;

use anyhow::{Context, bail};
use tribune_bench::labelled;
use tribune_bench::node::binary;
use tribune_bench::replayed::{Case, run};

const USAGE: &str = "usage: cases FOLDER [CASE]…

Plays every labelled case (*.csv.gz) in FOLDER at its own pace against a fresh node on 127.0.0.1, and two
that are made here: o1, twenty listeners and nothing else, and nat, 400 listeners nearly all of whom come from
three addresses. With CASE only those whose names begin so. A case takes a minute and a half. Prints one line
of JSON a case; says on standard error what it does. TRIBUNE names the binary, else target/release/tribune.

Examples:
  cases ../shared/data/lab
  cases ../shared/data/lab c1 a2 nat
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
    let found = labelled::cases(Path::new(folder))?;
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).chain(Case::MADE).collect();
    if let Some(unknown) = wanted.iter().find(|one| !names.iter().any(|name| name.starts_with(one.as_str())))
    {
        bail!("{unknown:?} is no case; there are {}.", names.join(", "));
    }
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|one| name.starts_with(one.as_str()));
    for name in names.iter().filter(|name| is_wanted(name)) {
        let case = match found.iter().find(|(other, _)| other == name) {
            Some((name, path)) => Case::of(name, &labelled::read(path)?)?,
            None => Case::made(name).context("it is made here")?,
        };
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
    Ok(())
}

fn progress(line: &str) {
    #[expect(clippy::print_stderr, reason = "somebody waits for it")]
    {
        eprintln!("cases: {line}");
    }
}
