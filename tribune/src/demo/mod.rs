//! `tribune demo`: a node, a room and two voices that talk, on embedded defaults; the links are printed.
//!
//! The voices come over loopback by WebRTC, as people's browsers send theirs, so that what is heard has gone
//! the whole way, and whoever opens the stage's link stands beside them.

pub mod voices;

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use tribune_core::room::Key;
use tribune_core::time::FRAME_SAMPLES;
use tribune_rehearsal::speaker::{Over, Speaker, Target, Wants};
use tribune_server::config::Config;
use tribune_server::run::Listening;
use tribune_server::world::World;

use self::voices::{Voice, Who};

/// Runs a node with a room in which two voices talk, and prints the links.
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub struct DemoArgs {
    /// Where rooms and recordings are kept [default: a folder that is removed at the end]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Where listeners come in [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Where hosts, speakers and the API come in [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    stage: Option<SocketAddr>,
    /// Where speakers' sound comes in [default: 127.0.0.1:8082]
    #[arg(long, value_name = "ADDR")]
    media: Option<SocketAddr>,
    /// Where health and metrics are read [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    ops: Option<SocketAddr>,
}

const EXAMPLES: &str = "\
Examples:
  tribune demo
  tribune demo --data ./demo-data
  tribune demo --listen 127.0.0.1:0 --stage 127.0.0.1:0 --media 127.0.0.1:0 \\
    --ops 127.0.0.1:0                                                          any free ports";

/// The room's name and title.
const ROOM: &str = "demo";
const TITLE: &str = "Two voices, talking";
/// What the two say is always the same.
const CONVERSATION: u64 = 1;
/// A packet of a voice.
const PACKET: Duration = Duration::from_millis(20);

/// Runs until interrupted: exit 0, or 2 with a sentence.
pub fn run(args: &DemoArgs) -> ExitCode {
    match show(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "tribune demo: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn show(args: &DemoArgs) -> anyhow::Result<()> {
    let passing = std::env::temp_dir().join(format!("tribune-demo-{}", std::process::id()));
    let default = Config::default();
    let operator = Key::generate(World::begin().entropy());
    let config = Config {
        data: args.data.clone().unwrap_or_else(|| passing.clone()),
        listen: args.listen.unwrap_or(default.listen),
        stage: args.stage.unwrap_or(default.stage),
        ops: args.ops.unwrap_or(default.ops),
        media: args.media.unwrap_or(default.media),
        operator_key: Some(operator.clone()),
        log_filter: "warn".into(),
        ..default
    };
    let (told, listening) = mpsc::channel();
    let stage = std::thread::spawn(move || -> anyhow::Result<()> {
        let Ok(listening) = listening.recv() else {
            // The node did not start, and says why itself.
            return Ok(());
        };
        let held = conversation(&Links::of(&listening)?, operator.reveal());
        if let Err(error) = &held {
            // The node goes on until it is interrupted; whoever waits for the links must know now.
            let _ = writeln!(std::io::stderr(), "tribune demo: {error:#}. Press Ctrl-C to stop.");
        }
        held
    });
    tribune_server::run::logs(&config)?;
    let ran = tribune_server::run::run(config, move |listening| {
        // The thread that waits for this ends only after it has heard.
        let _ = told.send(listening.clone());
    });
    tribune_server::run::flush_logs();
    // What the demo recorded was never meant to be kept; a folder that is left over does no harm.
    let _ = std::fs::remove_dir_all(&passing);
    ran?;
    if stage.is_finished() {
        stage.join().map_err(|_| anyhow::anyhow!("the conversation died"))?
    } else {
        Ok(())
    }
}

/// Where the demo's listeners are.
struct Links {
    public: String,
    stage: String,
    ops: String,
}

impl Links {
    fn of(listening: &Listening) -> anyhow::Result<Self> {
        let first = |addrs: &[std::net::SocketAddr]| {
            addrs.first().map(|addr| format!("http://{addr}")).context("a listener has an address")
        };
        let Listening { public, stage, ops, .. } = listening;
        Ok(Self { public: first(public)?, stage: first(stage)?, ops: first(ops)? })
    }
}

/// Makes the room, goes live, lets the voices talk.
fn conversation(links: &Links, operator: &str) -> anyhow::Result<()> {
    let api = |path: &str, body: Value| -> anyhow::Result<Value> {
        let mut answer = ureq::post(format!("{}{path}", links.stage))
            .header("authorization", format!("Bearer {operator}"))
            .send_json(body)
            .with_context(|| format!("{path} was refused"))?;
        Ok(answer.body_mut().read_json()?)
    };
    let made = match api("/api/v1/rooms", json!({"room": ROOM, "title": TITLE})) {
        Ok(made) => made,
        // The folder was kept from an earlier demo: the room is there, and fresh keys will do.
        Err(_) => api(&format!("/api/v1/rooms/{ROOM}/keys"), json!({"roles": ["host", "speaker"]}))?,
    };
    let key = |role: &str| made["keys"][role].as_str().context("a room has keys").map(str::to_owned);
    let (host, speaker) = (key("host")?, key("speaker")?);
    api(&format!("/api/v1/rooms/{ROOM}/live"), json!({}))?;
    print(links, operator, &host)?;
    let voices = [("Ada", Who::Host), ("Ben", Who::Guest)].map(|(name, who)| {
        let (stage, key) = (links.stage.clone(), speaker.clone());
        std::thread::spawn(move || talk(&stage, &key, (name, who)))
    });
    for voice in voices {
        voice.join().map_err(|_| anyhow::anyhow!("a voice died"))??;
    }
    Ok(())
}

fn print(links: &Links, operator: &str, host: &str) -> anyhow::Result<()> {
    let Links { public, stage, ops } = links;
    // As this program was called, so that the lines can be pasted where it was.
    let tribune = std::env::args_os().next().map_or("tribune".into(), |name| name.display().to_string());
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\n  Two voices are talking. Press Ctrl-C to stop.\n\n  \
         in a browser      {public}/{ROOM}\n  \
         on the stage      {stage}/{ROOM}/stage#key={host}\n  \
         in a player       mpv {public}/{ROOM}/live.opus\n  \
         in any player     {public}/{ROOM}/live.m3u8   {public}/{ROOM}/live.aac\n  \
         what it says      {public}/{ROOM}/status\n  \
         health, metrics   {ops}/healthz   {ops}/metrics\n\n  \
         end the room      {tribune} room end {ROOM} --stage {stage} --operator-key {operator}\n  \
         then prove it     {tribune} verify {public}/{ROOM}/replay.opus\n"
    )?;
    Ok(out.flush()?)
}

/// One voice, at live pace, until the node hangs up.
fn talk(stage: &str, key: &str, (name, who): (&str, Who)) -> anyhow::Result<()> {
    let (wants, over) = (Wants::ToSend, Over::Udp);
    let target = Target { stage, room: ROOM, key, name: Some(name), wants, over, via: None };
    let mut speaker = Speaker::join(&target)?;
    let mut voice = Voice::new(who, CONVERSATION);
    let began = Instant::now();
    for packet in 1.. {
        let mut frame = [0.0; FRAME_SAMPLES];
        voice.fill(&mut frame);
        let spoken = speaker.attend(began + PACKET * packet).and_then(|()| speaker.say(&frame));
        if spoken.is_err() {
            // The room has ended, or the node is going down.
            return Ok(());
        }
    }
    Ok(())
}
