//! `tribune report`: the report of an evening, from the ledger in the data folder.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use tribune_core::guard::report::Bundle;
use tribune_core::room::Name;
use tribune_server::guard::ledger::evening;

/// Writes the report of a room's last evening: crowd or attack, what happened in order, and how to check it.
///
/// Reads the ledger in the data folder, while the node runs and after. The folder it writes has the report as
/// a page and as JSON, the lines of the ledger it is computed from, and a program that computes it again.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tribune report election
  tribune report election --data /var/lib/tribune --out /tmp/election-report
  python3 election-report/verify.py --head \"$(jq -r .guard.ledger.head kept-status.json)\"

Exit status: 0 done, 2 there is no such evening, or it cannot be read or written.")]
pub struct Args {
    /// The room
    room: String,
    /// The node's data folder
    #[arg(long, value_name = "DIR", env = "TRIBUNE_DATA", default_value = "./tribune-data")]
    data: PathBuf,
    /// Where it is written; what is there of an earlier report is written over [default: ROOM-report]
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// The report as one JSON document on standard output, instead of its headline
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    match write_and_tell(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "tribune report: {error:#}.");
            ExitCode::from(2)
        }
    }
}

fn write_and_tell(args: &Args) -> anyhow::Result<()> {
    let room = Name::parse(&args.room).with_context(|| format!("{:?} is no room", args.room))?;
    let bundle = evening(&args.data, room.as_str())
        .with_context(|| format!("no report of {room} can be made"))?
        .bundle(env!("CARGO_PKG_VERSION"));
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{room}-report")));
    write(&bundle, &out).with_context(|| format!("{} cannot be written", out.display()))?;
    let mut to = std::io::stdout();
    if args.json {
        to.write_all(&bundle.json)?;
        writeln!(to)?;
    } else {
        let at = out.join("report.html");
        writeln!(
            to,
            "{}\n{}\nTo check it: python3 {}",
            bundle.headline,
            at.display(),
            out.join("verify.py").display()
        )?;
    }
    Ok(())
}

fn write(bundle: &Bundle, out: &Path) -> std::io::Result<()> {
    fs::create_dir_all(out)?;
    for (name, bytes) in [
        ("report.html", bundle.page.as_bytes()),
        ("report.json", &bundle.json),
        ("ledger.jsonl", &bundle.ledger),
        ("verify.py", bundle.verify.as_bytes()),
        ("README.txt", bundle.readme.as_bytes()),
    ] {
        fs::write(out.join(name), bytes)?;
    }
    Ok(())
}
