//! `tribune room`: makes and runs rooms through the API of a node.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::Subcommand;
use serde_json::{Value, json};
use tribune_core::room::{Name, TITLE_CHARS_MAX, is_title};
use tribune_core::time::WallTime;
use tribune_server::program::HOLD_BYTES_MAX;

/// Makes and runs rooms through the API of a node.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The node's stage listener
    #[arg(
        long,
        value_name = "URL",
        env = "TRIBUNE_STAGE",
        default_value = "http://127.0.0.1:8081",
        global = true
    )]
    stage: String,
    /// The operator's key, or one of the room's where that suffices
    #[arg(long, value_name = "KEY", env = "TRIBUNE_OPERATOR_KEY", hide_env_values = true, global = true)]
    operator_key: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Makes a room; prints its name, keys and links. The keys are shown this once
    New {
        /// What it is called
        #[arg(long, value_name = "T")]
        title: String,
        /// Its name: 1 to 64 of a-z 0-9 - [default: drawn]
        #[arg(long, value_name = "NAME")]
        room: Option<String>,
        /// When it starts, RFC 3339: 2026-11-03T20:00:00Z [default: open at once]
        #[arg(long, value_name = "TIME")]
        starts: Option<String>,
        /// Most seats
        #[arg(long, value_name = "N")]
        cap: Option<u32>,
        /// Its share of the node's seats, relative to other rooms': 1 to 1000 [default: 1]
        #[arg(long, value_name = "N")]
        share: Option<u32>,
    },
    /// Makes the program the conversation
    Live { room: String },
    /// Ends the room for good; answers when the replay can be fetched
    End { room: String },
    /// Limits the seats
    Cap {
        room: String,
        seats: u32,
        /// Also above what the node was measured to carry: it is logged, and everybody is told
        #[arg(long = "override")]
        overrides: bool,
    },
    /// Tells everybody something
    Notice { room: String, text: String },
    /// Gives the room a hold sound of its own, heard before the start and in gaps, from now on
    Hold {
        room: String,
        /// 16 bit, 48000 Hz, mono or stereo, at most 300 s and 30 MB; it repeats
        #[arg(value_name = "FILE.wav", required_unless_present = "none")]
        file: Option<PathBuf>,
        /// Back to the node's hold sound
        #[arg(long, conflicts_with = "file")]
        none: bool,
    },
    /// Prints the room's status
    Show { room: String },
    /// Prints all rooms
    List,
}

const EXAMPLES: &str = "\
Examples:
  export TRIBUNE_OPERATOR_KEY=$(cat tribune-data/operator.key)
  tribune room new --title 'Election night' --room election --starts 2026-11-03T20:00:00Z
  tribune room live election
  tribune room notice election 'We begin in five minutes.'
  tribune room hold election waiting.wav
  tribune room end election

Exit status: 0 done, 1 the node refused, or there is no replay of the conversation,
2 bad usage, or the node could not be reached.";

/// How long one answer may take; closing a long evening's chain takes less than a second.
const ANSWER: Duration = Duration::from_secs(60);
/// How long sending a sound and its answer may take; the node waits for two minutes.
const SOUND_ANSWER: Duration = Duration::from_secs(150);
/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(5);
/// Largest answer that is read, in bytes.
const ANSWER_BYTES_MAX: u64 = 16 << 20;

/// What is said when a room ended and its conversation cannot be heard.
const NO_REPLAY: &str = "The room has ended, but there is no replay of its conversation: the recording could \
    not be closed yet, or was deleted. `tribune room show` says when there is one, the node's log why not.";

/// Why there is nothing to print.
enum Failed {
    /// The node's answer is no.
    Refused(String),
    /// The question was wrong or did not arrive.
    Unusable(String),
}

struct Request {
    method: &'static str,
    path: String,
    body: Body,
}

enum Body {
    Nothing,
    Json(Value),
    Wav(Vec<u8>),
}

impl Body {
    const fn answer(&self) -> Duration {
        match self {
            Self::Nothing | Self::Json(_) => ANSWER,
            Self::Wav(_) => SOUND_ANSWER,
        }
    }

    const fn kind(&self) -> Option<&'static str> {
        match self {
            Self::Nothing => None,
            Self::Json(_) => Some("application/json"),
            Self::Wav(_) => Some("audio/wav"),
        }
    }

    fn bytes(self) -> Vec<u8> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Json(value) => value.to_string().into_bytes(),
            Self::Wav(bytes) => bytes,
        }
    }
}

pub fn run(args: Args) -> ExitCode {
    let base = base_of(&args.stage);
    let ends = matches!(args.command, Command::End { .. });
    let answer =
        request_of(args.command).and_then(|request| ask(&base, args.operator_key.as_deref(), request));
    match answer {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(document)) => match writeln!(std::io::stdout(), "{document:#}") {
            Ok(()) if ends && lacks_replay(&document) => fail(NO_REPLAY, 1),
            Ok(()) => ExitCode::SUCCESS,
            Err(_) => ExitCode::from(2),
        },
        Err(Failed::Refused(why)) => fail(&why, 1),
        Err(Failed::Unusable(why)) => fail(&why, 2),
    }
}

/// Whether there was a conversation in this room that has ended, and nothing of it can be heard.
fn lacks_replay(status: &Value) -> bool {
    status["started_at"].is_string() && status["replay"].is_null()
}

fn fail(sentence: &str, code: u8) -> ExitCode {
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "tribune room: {sentence}");
    ExitCode::from(code)
}

fn request_of(command: Command) -> Result<Request, Failed> {
    let of = |name: &str, rest: &str| path_of(name).map(|path| format!("{path}{rest}"));
    let request = |method, path, body| Request { method, path, body };
    Ok(match command {
        Command::New { title, room, starts, cap, share } => {
            let room = room.as_deref().map(name_of).transpose()?;
            check_new(&title, starts.as_deref())?;
            let mut body = json!({"title": title});
            for (field, value) in [
                ("room", room.map(|room| Value::from(room.as_str()))),
                ("starts_at", starts.map(Value::from)),
                ("cap", cap.map(Value::from)),
                ("share", share.map(Value::from)),
            ] {
                if let Some(value) = value {
                    body[field] = value;
                }
            }
            request("POST", "/api/v1/rooms".into(), Body::Json(body))
        }
        Command::Live { room } => request("POST", of(&room, "/live")?, Body::Nothing),
        Command::End { room } => request("POST", of(&room, "/end")?, Body::Nothing),
        Command::Cap { room, seats, overrides } => {
            let mut body = json!({"cap": seats});
            if overrides {
                body["override"] = true.into();
            }
            request("POST", of(&room, "/cap")?, Body::Json(body))
        }
        Command::Notice { room, text } => {
            request("POST", of(&room, "/notice")?, Body::Json(json!({"text": text})))
        }
        Command::Hold { room, file: Some(file), none: _ } => {
            request("PUT", of(&room, "/hold")?, Body::Wav(sound_of(&file)?))
        }
        Command::Hold { room, file: None, none: _ } => request("DELETE", of(&room, "/hold")?, Body::Nothing),
        Command::Show { room } => request("GET", of(&room, "")?, Body::Nothing),
        Command::List => request("GET", "/api/v1/rooms".into(), Body::Nothing),
    })
}

fn path_of(name: &str) -> Result<String, Failed> {
    name_of(name).map(|name| format!("/api/v1/rooms/{name}"))
}

fn name_of(name: &str) -> Result<Name, Failed> {
    Name::parse(name).map_err(|error| Failed::Unusable(format!("{name:?} is no room: {error}.")))
}

/// What the node would refuse in any case is bad usage, and need not be asked.
fn check_new(title: &str, starts: Option<&str>) -> Result<(), Failed> {
    if !is_title(title) {
        let says = format!(
            "--title {title:?} is no title: give 1 to {TITLE_CHARS_MAX} characters, not only spaces, in \
             one line."
        );
        return Err(Failed::Unusable(says));
    }
    match starts.filter(|starts| WallTime::parse(starts).is_none()) {
        Some(starts) => Err(Failed::Unusable(format!(
            "--starts {starts:?} is no time in RFC 3339, like 2026-11-03T20:00:00Z."
        ))),
        None => Ok(()),
    }
}

/// Too large a file is refused here, because a node that refuses it does not read it to its end.
fn sound_of(file: &Path) -> Result<Vec<u8>, Failed> {
    let unusable = |why: &dyn std::fmt::Display| Failed::Unusable(format!("{}: {why}.", file.display()));
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(|error| unusable(&error))?;
    opened.take(HOLD_BYTES_MAX as u64 + 1).read_to_end(&mut bytes).map_err(|error| unusable(&error))?;
    if bytes.len() > HOLD_BYTES_MAX {
        return Err(unusable(&format!("a hold sound has at most {HOLD_BYTES_MAX} bytes")));
    }
    Ok(bytes)
}

/// The same variable is an address for `tribune serve`, so one without a scheme is taken too.
fn base_of(stage: &str) -> String {
    let bare = stage.trim_end_matches('/');
    if bare.contains("://") { bare.to_owned() } else { format!("http://{bare}") }
}

/// The answer's document; `None` when there is nothing to say.
fn ask(base: &str, key: Option<&str>, request: Request) -> Result<Option<Value>, Failed> {
    let agent = ureq::Agent::config_builder()
        .timeout_global(Some(request.body.answer()))
        .timeout_connect(Some(CONNECT))
        .http_status_as_error(false)
        .build()
        .new_agent();
    let url = format!("{base}{}", request.path);
    let mut head = ureq::http::Request::builder().method(request.method).uri(&url);
    if let Some(key) = key {
        head = head.header("authorization", format!("Bearer {key}"));
    }
    if let Some(kind) = request.body.kind() {
        head = head.header("content-type", kind);
    }
    let body = request.body.bytes();
    let unusable = |error: ureq::http::Error| Failed::Unusable(format!("{url:?} cannot be asked: {error}."));
    let mut answer = if request.method == "GET" || request.method == "DELETE" {
        agent.run(head.body(()).map_err(unusable)?)
    } else {
        agent.run(head.body(body).map_err(unusable)?)
    }
    .map_err(|error| Failed::Unusable(unreachable(base, &error)))?;
    let status = answer.status();
    let text = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_string();
    let text = text.map_err(|error| Failed::Unusable(format!("the answer of {base} broke off: {error}.")))?;
    if status == ureq::http::StatusCode::NO_CONTENT {
        return Ok(None);
    }
    let document: Value = serde_json::from_str(&text).map_err(|_| {
        Failed::Unusable(format!(
            "{base} answered {status} without JSON: is this the stage listener of a tribune node?"
        ))
    })?;
    if status.is_success() {
        return Ok(Some(document));
    }
    Err(Failed::Refused(refusal(&document, key)))
}

fn unreachable(base: &str, error: &ureq::Error) -> String {
    format!(
        "cannot reach the stage at {base}: is the node running? \
         Start one with `tribune serve`, or say where it is with --stage URL ({error})."
    )
}

fn refusal(document: &Value, key: Option<&str>) -> String {
    let message = document["message"].as_str().unwrap_or("The node refused without saying why.");
    match (key, document["code"].as_str()) {
        (None, Some("key_wrong")) => format!(
            "{message} Give it with --operator-key or TRIBUNE_OPERATOR_KEY; the node keeps it in \
             operator.key of its data folder."
        ),
        (None | Some(_), _) => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_usage_is_known_before_the_node_is_asked() {
        let new = |title: &str, room: Option<&str>, starts: Option<&str>| Command::New {
            title: title.to_owned(),
            room: room.map(str::to_owned),
            starts: starts.map(str::to_owned),
            cap: None,
            share: None,
        };
        for (command, word) in [
            (new("", None, None), "--title \"\" is no title"),
            (new("a\nb", None, None), "is no title"),
            (new("a", Some("Bad Name"), None), "\"Bad Name\" is no room"),
            (new("a", None, Some("soon")), "--starts \"soon\" is no time"),
            (Command::Live { room: "Bad Name".to_owned() }, "\"Bad Name\" is no room"),
        ] {
            match request_of(command) {
                Err(Failed::Unusable(says)) => assert!(says.contains(word), "{says}"),
                Err(Failed::Refused(_)) | Ok(_) => panic!("{word}: not refused as bad usage"),
            }
        }
        assert!(request_of(new("a", Some("b"), Some("2026-11-03T20:00:00Z"))).is_ok());
    }

    #[test]
    fn an_end_without_a_replay_is_told_when_there_was_something_to_hear() {
        for (started_at, replay, lacks) in [
            (json!("2026-11-03T20:00:00Z"), Value::Null, true),
            (json!("2026-11-03T20:00:00Z"), json!({"opus": "x"}), false),
            (Value::Null, Value::Null, false),
        ] {
            let status = json!({"started_at": started_at, "replay": replay});
            assert_eq!(lacks_replay(&status), lacks, "{status}");
        }
    }
}
