//! `tribune demo`: a node, a room and two voices that talk, on embedded defaults; the links are printed.
//!
//! The voices are sent over loopback as any source would send them, so that what is heard has gone the whole
//! way.

pub mod voices;

use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anyhow::Context;
use clap::Args;
use serde_json::{Value, json};
use tribune_core::codec::opus::{Encoder, Prediction};
use tribune_core::room::Key;
use tribune_core::time::FRAME_SAMPLES;
use tribune_rehearsal::source::{Framing, PAGE_PACKETS, Source, Target};
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
    /// Where sources and the API come in [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    stage: Option<SocketAddr>,
    /// Where health and metrics are read [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    ops: Option<SocketAddr>,
}

const EXAMPLES: &str = "\
Examples:
  tribune demo
  tribune demo --data ./demo-data
  tribune demo --listen 127.0.0.1:0 --stage 127.0.0.1:0 --ops 127.0.0.1:0    any free ports";

/// The room's name and title.
const ROOM: &str = "demo";
const TITLE: &str = "Two voices, talking";
/// Bits a second of each voice's source.
const VOICE_BIT_RATE: u32 = 96_000;
/// What the two say is always the same.
const CONVERSATION: u64 = 1;
/// A page of a voice: 100 ms.
const PAGE: Duration = Duration::from_millis(100);

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
        // Nobody speaks by WebRTC here; any free port keeps out of the way of a node that runs beside.
        media: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
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
        Err(_) => api(&format!("/api/v1/rooms/{ROOM}/keys"), json!({}))?,
    };
    let key = made["keys"]["speaker"].as_str().context("a room has a speaker's key")?.to_owned();
    api(&format!("/api/v1/rooms/{ROOM}/live"), json!({}))?;
    print(links, operator)?;
    let voices = [("host", Who::Host), ("guest", Who::Guest)].map(|(name, who)| {
        let (stage, key) = (links.stage.clone(), key.clone());
        std::thread::spawn(move || talk(&stage, &key, (name, who)))
    });
    for voice in voices {
        voice.join().map_err(|_| anyhow::anyhow!("a voice died"))??;
    }
    Ok(())
}

fn print(links: &Links, operator: &str) -> anyhow::Result<()> {
    let Links { public, stage, ops } = links;
    // As this program was called, so that the lines can be pasted where it was.
    let tribune = std::env::args_os().next().map_or("tribune".into(), |name| name.display().to_string());
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "\n  Two voices are talking. Press Ctrl-C to stop.\n\n  \
         in a browser      {public}/{ROOM}\n  \
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
    let mut encoder = Encoder::new(VOICE_BIT_RATE)?;
    let path = format!("/{ROOM}/source/{name}");
    let framing = Framing::Chunked;
    let target =
        Target { stage, path: &path, key, framing, pre_skip: encoder.lookahead_samples(), title: TITLE };
    let mut source = Source::connect(&target)?;
    let mut voice = Voice::new(who, CONVERSATION);
    let began = Instant::now();
    for page in 1.. {
        let mut packets = Vec::with_capacity(PAGE_PACKETS);
        for _ in 0..PAGE_PACKETS {
            let mut frame = [0.0; FRAME_SAMPLES];
            voice.fill(&mut frame);
            let mut packet = Vec::new();
            encoder.encode(&frame, Prediction::Carry, &mut packet)?;
            packets.push(packet);
        }
        std::thread::sleep((began + PAGE * page).saturating_duration_since(Instant::now()));
        if source.page(packets.iter().map(Vec::as_slice)).is_err() {
            // The room has ended, or the node is going down.
            return Ok(());
        }
    }
    Ok(())
}
