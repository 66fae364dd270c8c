//! `tribune verify`: is a recording complete and unedited? For a replay's URL, or a downloaded file with its
//! seal.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tribune_core::program::seal::{SEAL_BYTES_MAX, Seal};
use tribune_core::program::verify::{Answer, Report, WITNESS_BYTES_MAX, verify};

/// The largest recording that is read, in bytes: some 70 hours.
const RECORDING_BYTES_MAX: u64 = 2 << 30;
/// How long a server may take to begin its answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(30);
/// Bytes between two words about the progress of a download.
const PROGRESS_BYTES: usize = 16 << 20;

/// Is a recording complete and unedited?
#[derive(Clone, Debug, clap::Args)]
pub struct VerifyArgs {
    /// A replay's URL, or a downloaded Ogg Opus or M4A file
    recording: String,
    /// The recording's seal; for a URL it is fetched from beside it
    #[arg(long, value_name = "FILE")]
    seal: Option<PathBuf>,
    /// A `status` that someone kept from the evening
    #[arg(long, value_name = "STATUS")]
    witness: Option<PathBuf>,
    /// Print one JSON document instead of sentences
    #[arg(long)]
    json: bool,
}

/// Exit status: 0 yes, 1 no, 2 cannot tell.
pub fn run(args: &VerifyArgs) -> ExitCode {
    match check(args) {
        Ok(report) => {
            print(args, &report);
            match report.answer() {
                Answer::Yes => ExitCode::SUCCESS,
                Answer::No => ExitCode::from(1),
                Answer::CannotTell => ExitCode::from(2),
            }
        }
        Err(error) => {
            say(&format!("Cannot tell: {error:#}."));
            ExitCode::from(2)
        }
    }
}

fn check(args: &VerifyArgs) -> anyhow::Result<Report> {
    let is_url = args.recording.starts_with("http://") || args.recording.starts_with("https://");
    let seal = match (&args.seal, is_url) {
        (Some(path), _) => read_file(path, SEAL_BYTES_MAX as u64)?,
        (None, true) => fetch(&seal_url(&args.recording)?, SEAL_BYTES_MAX as u64)?,
        (None, false) => bail!("a file needs its seal: get it from /ROOM/seal and give it with --seal FILE"),
    };
    let seal = Seal::from_json(&seal)?;
    let witness = args.witness.as_ref().map(|path| read_file(path, WITNESS_BYTES_MAX as u64)).transpose()?;
    let recording = match is_url {
        true => fetch(&args.recording, RECORDING_BYTES_MAX)?,
        false => read_file(Path::new(&args.recording), RECORDING_BYTES_MAX)?,
    };
    verify(&seal, &recording, witness.as_deref()).with_context(|| args.recording.clone())
}

/// `https://host/room/replay.opus` → `https://host/room/seal`.
fn seal_url(replay: &str) -> anyhow::Result<String> {
    let path = replay.split(['?', '#']).next().unwrap_or(replay);
    match path.rsplit_once('/') {
        Some((room, name)) if name.starts_with("replay.") => Ok(format!("{room}/seal")),
        _ => bail!("{replay} is not a replay's address; it ends in /replay.opus or /replay.m4a"),
    }
}

fn read_file(path: &Path, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let file = std::fs::File::open(path).with_context(|| format!("{} cannot be opened", path.display()))?;
    read(file, bytes_max, |_| {}).with_context(|| path.display().to_string())
}

fn fetch(url: &str, bytes_max: u64) -> anyhow::Result<Vec<u8>> {
    let agent: ureq::Agent =
        ureq::Agent::config_builder().timeout_recv_response(Some(ANSWER_WITHIN)).build().into();
    let mut answer = agent.get(url).call().with_context(|| format!("{url} cannot be fetched"))?;
    let body = answer.body_mut().with_config().limit(bytes_max + 1).reader();
    read(body, bytes_max, |read| say(&format!("{url}: {} MB", read >> 20))).with_context(|| url.to_owned())
}

/// Reads everything, but no more than `bytes_max`.
fn read(mut from: impl Read, bytes_max: u64, progress: impl Fn(usize)) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let before = bytes.len();
        let step = (&mut from).take(PROGRESS_BYTES as u64).read_to_end(&mut bytes)?;
        if bytes.len() as u64 > bytes_max {
            bail!("it is larger than {bytes_max} bytes");
        }
        if step == 0 {
            return Ok(bytes);
        }
        if bytes.len() - before == PROGRESS_BYTES {
            progress(bytes.len());
        }
    }
}

#[allow(clippy::print_stdout, reason = "the answer is the command's output")]
fn print(args: &VerifyArgs, report: &Report) {
    if args.json {
        println!("{}", serde_json::to_string(report).expect("texts and numbers"));
        return;
    }
    for line in sentences(report) {
        println!("{line}");
    }
}

/// The report for people: the answer first, then what was found.
fn sentences(report: &Report) -> Vec<String> {
    let seconds = report.seconds;
    let mut lines = vec![match report.answer() {
        Answer::Yes => format!("Yes: the recording ({seconds} s) is complete and unedited."),
        Answer::No if report.complete && report.wrong.is_empty() && !report.redactions.is_empty() => format!(
            "No: {} passage(s) were taken out, and the seal says so; the rest of {seconds} s is as sealed.",
            report.redactions.len()
        ),
        Answer::No => "No: this is not the recording as it was sealed.".to_owned(),
        Answer::CannotTell => "Cannot tell from what was given.".to_owned(),
    }];
    lines.extend(report.wrong.iter().map(|wrong| format!("At second {}: {}.", wrong.at_s, wrong.what)));
    lines.extend(report.gaps.iter().map(|gap| {
        let why = match gap.why {
            tribune_core::program::seal::Why::Restart => "the server restarted",
            tribune_core::program::seal::Why::Disk => "the disk failed or was full",
            tribune_core::program::seal::Why::Stalled => "the server stood still, and there was no program",
        };
        format!("At second {}: {} s were not recorded: {why}.", gap.at_s, gap.seconds)
    }));
    lines.extend(report.redactions.iter().map(|taken| {
        format!(
            "At second {}: {} s were taken out on {}: {}.",
            taken.at_s, taken.seconds, taken.at, taken.why
        )
    }));
    lines.extend(report.notes.iter().cloned());
    lines.push(format!("Sealed by the key {}.", report.signed_by));
    lines
}

#[allow(clippy::print_stderr, reason = "progress and errors go there")]
fn say(line: &str) {
    eprintln!("{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seal_lies_beside_the_replay() {
        for (replay, seal) in [
            ("https://a.example/room/replay.opus", Some("https://a.example/room/seal")),
            ("http://127.0.0.1:8080/room/replay.m4a?x=1", Some("http://127.0.0.1:8080/room/seal")),
            ("https://a.example/room", None),
            ("https://a.example", None),
        ] {
            assert_eq!(seal_url(replay).ok().as_deref(), seal, "{replay}");
        }
    }

    #[test]
    fn a_file_without_a_seal_cannot_be_told() {
        let args = VerifyArgs { recording: "no-such".into(), seal: None, witness: None, json: false };
        let error = check(&args).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("--seal FILE"), "{error}");
    }
}
