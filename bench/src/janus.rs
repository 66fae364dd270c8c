//! Janus' AudioBridge beside us: a room that mixes, on this machine, reached by the same speakers.
//!
//! It is driven by its own HTTP interface; Debian's `janus` provides it.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use serde_json::{Value, json};
use tribune_rehearsal::speaker::Speaker;

const ROOM: u64 = 1;
/// From the start of the process to the first answer.
const START_MAX: Duration = Duration::from_secs(20);
/// Looks for one event of a session.
const LOOKS_MAX: usize = 20;

/// A running Janus with one room.
pub struct Janus {
    child: Child,
    folder: PathBuf,
    url: String,
}

impl Janus {
    /// Starts one with settings of its own and nothing but the AudioBridge; `None` where it is not installed.
    ///
    /// # Errors
    /// It is installed and does not start.
    pub fn start() -> anyhow::Result<Option<Self>> {
        let folder = std::env::temp_dir().join(format!("tribune-bench-janus-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        write_settings(&folder, port)?;
        let started = Command::new("janus")
            .arg(format!("--configs-folder={}", folder.display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = match started {
            Ok(child) => child,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                std::fs::remove_dir_all(&folder)?;
                return Ok(None);
            }
            Err(error) => return Err(error).context("janus does not start"),
        };
        let janus = Self { child, folder, url: format!("http://127.0.0.1:{port}/janus") };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > START_MAX {
                bail!("janus does not listen");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        let talk = janus.session()?;
        janus.ask(
            &talk,
            json!({"janus": "message", "body": {"request": "create", "room": ROOM, "sampling_rate": 48_000}}),
        )?;
        Ok(Some(janus))
    }

    /// One more in the room.
    ///
    /// # Errors
    /// Janus refuses, or cannot be reached.
    pub fn join(&self) -> anyhow::Result<Speaker> {
        Speaker::join_elsewhere(|offer| {
            let session = self.session()?;
            let join = json!({"request": "join", "room": ROOM});
            self.ask(&session, json!({"janus": "message", "body": join}))?;
            let configure = json!({"request": "configure", "muted": false});
            let jsep = json!({"type": "offer", "sdp": offer});
            self.ask(&session, json!({"janus": "message", "body": configure, "jsep": jsep}))?;
            self.answer(&session)
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A session with a handle of the AudioBridge, as its path.
    fn session(&self) -> anyhow::Result<String> {
        let session = self.ask("", json!({"janus": "create"}))?["data"]["id"].to_string();
        let attach = json!({"janus": "attach", "plugin": "janus.plugin.audiobridge"});
        let handle = self.ask(&format!("/{session}"), attach)?["data"]["id"].to_string();
        Ok(format!("/{session}/{handle}"))
    }

    fn ask(&self, path: &str, mut body: Value) -> anyhow::Result<Value> {
        body["transaction"] = json!("bench");
        let answer: Value =
            ureq::post(format!("{}{path}", self.url)).send_json(&body)?.body_mut().read_json()?;
        match answer["janus"].as_str() {
            Some("success" | "ack") => Ok(answer),
            _ => bail!("janus refuses {body}: {answer}"),
        }
    }

    /// Looks through the session's events for the answer to our offer.
    fn answer(&self, path: &str) -> anyhow::Result<String> {
        let session = path.split('/').nth(1).context("a path begins with the session")?;
        for _ in 0..LOOKS_MAX {
            let url = format!("{}/{session}?maxev=1", self.url);
            let event: Value = ureq::get(url).call()?.body_mut().read_json()?;
            if let Some(sdp) = event["jsep"]["sdp"].as_str() {
                return Ok(sdp.to_owned());
            }
        }
        bail!("janus does not answer the offer")
    }
}

impl Drop for Janus {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn write_settings(folder: &Path, port: u16) -> anyhow::Result<()> {
    let libraries = |names: &str| {
        names.split(' ').map(|name| format!("libjanus_{name}.so")).collect::<Vec<_>>().join(",")
    };
    let plugins = libraries(
        "duktape echotest lua nosip recordplay sip streaming textroom videocall videoroom voicemail",
    );
    let transports = libraries("mqtt nanomsg pfunix rabbitmq websockets");
    std::fs::write(
        folder.join("janus.jcfg"),
        format!(
            "general: {{ debug_level = 1 session_timeout = 0 }}\nnat: {{ ice_lite = true }}\n\
             plugins: {{ disable = \"{plugins}\" }}\ntransports: {{ disable = \"{transports}\" }}\n\
             events: {{ broadcast = false }}\n"
        ),
    )?;
    std::fs::write(
        folder.join("janus.transport.http.jcfg"),
        format!(
            "general: {{ json = \"compact\" base_path = \"/janus\" http = true ip = \"127.0.0.1\" \
             port = {port} }}\n"
        ),
    )?;
    std::fs::write(folder.join("janus.plugin.audiobridge.jcfg"), "general: { }\n")?;
    Ok(())
}
