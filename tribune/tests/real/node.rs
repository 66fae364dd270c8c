//! A node of our own: the real binary on free ports with a data folder that goes away.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::pause::{pauses, watch};

/// The operator's key of every test node.
pub const OPERATOR: &str = "operator-key-of-the-tests-0123456789";
/// How long any single wait may take before the test fails. Liquidsoap alone needs half a minute to begin on
/// a machine that builds something at the same time.
pub const PATIENCE: Duration = Duration::from_secs(150);

/// One running node.
pub struct Node {
    child: Child,
    /// `http://127.0.0.1:port` of the public listener.
    pub public: String,
    /// The same of the stage listener.
    pub stage: String,
    /// The same of the ops listener.
    pub ops: String,
    /// `127.0.0.1:port` of the speakers' sound, UDP and TCP.
    pub media: String,
    keep: Option<tempfile::TempDir>,
}

/// A room as its maker sees it.
pub struct Room {
    pub name: String,
    pub host: String,
    pub speaker: String,
}

impl Node {
    /// Starts a node with an empty data folder.
    pub fn start() -> Self {
        let keep = tempfile::tempdir().expect("a folder for the node's data");
        let mut node = Self::start_in(keep.path());
        node.keep = Some(keep);
        node
    }

    /// Starts a node on an existing data folder.
    pub fn start_in(data: &Path) -> Self {
        Self::start_with(data, &[])
    }

    /// Starts a node on an existing data folder with more flags.
    pub fn start_with(data: &Path, flags: &[&str]) -> Self {
        Self::start_at("127.0.0.1:0", data, flags)
    }

    /// The same at an address of the machine's; the ops listener stays where it is.
    pub fn start_at(address: &str, data: &Path, flags: &[&str]) -> Self {
        Self::launch(Command::new(env!("CARGO_BIN_EXE_tribune")), address, (data, flags))
    }

    /// Starts the node that is at this place.
    pub fn start_program(program: &Path, data: &Path) -> Self {
        Self::launch(Command::new(program), "127.0.0.1:0", (data, &[]))
    }

    /// Starts a node that may open so many files and connections, and no more.
    pub fn start_with_descriptors(data: &Path, descriptors: u32) -> Self {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("ulimit -n {descriptors}; exec \"$@\""), "limited"]);
        shell.arg(env!("CARGO_BIN_EXE_tribune"));
        Self::launch(shell, "127.0.0.1:0", (data, &[]))
    }

    fn launch(mut program: Command, address: &str, (data, flags): (&Path, &[&str])) -> Self {
        watch();
        let mut child = program
            .args(["serve", "--listen", address, "--stage", address, "--ops", "127.0.0.1:0"])
            .args(["--media", "127.0.0.1:0", "--operator-key", OPERATOR, "--data"])
            .env("TRIBUNE_SELF_TEST", self_test())
            .arg(data)
            .args(flags)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary was built by this very test run");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        let mut address = |name: &str| {
            let line = lines.next().expect("the node says where it listens").expect("its words are text");
            line.strip_prefix(name)
                .unwrap_or_else(|| panic!("expected {name}, read {line:?}"))
                .trim()
                .to_owned()
        };
        let (public, stage, ops) = (address("listen"), address("stage"), address("ops"));
        let media = address("media").trim_start_matches("udp+tcp://").to_owned();
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, public, stage, ops, media, keep: None }
    }

    /// Kills it as a power switch would: no warning, no clean-up.
    pub fn kill(mut self) -> Option<tempfile::TempDir> {
        self.child.kill().expect("the node was running");
        self.child.wait().expect("a killed process ends");
        self.keep.take()
    }

    /// Sends it a signal by its short name.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("bash").args(["-c", &format!("kill -s {name} {}", self.child.id())]).status();
        assert!(sent.expect("bash is there").success());
    }

    /// Waits until it has ended by itself.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }

    /// Asks it to stop as an init system does; answers with its exit status once it has.
    pub fn terminate(mut self) -> std::process::ExitStatus {
        let asked = Command::new("kill").args(["-TERM", &self.pid()]).status();
        assert!(asked.is_ok_and(|status| status.success()), "kill is there");
        self.child.wait().expect("it stops")
    }

    /// Its process.
    pub fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// The JSON of an address of the ops listener, and its status.
    pub fn ops_json(&self, path: &str) -> (u16, Value) {
        let mut answer = agent().get(format!("{}{path}", self.ops)).call().expect("ops answers");
        let text = answer.body_mut().read_to_string().expect("it is text");
        (answer.status().as_u16(), serde_json::from_str(&text).expect("it is JSON"))
    }

    /// Makes a room that opens at once.
    pub fn room(&self, name: &str) -> Room {
        let made = self.api("POST", "/api/v1/rooms", &json!({"room": name, "title": format!("Room {name}")}));
        let key = |role: &str| made["keys"][role].as_str().expect("a new room has keys").to_owned();
        Room { name: name.to_owned(), host: key("host"), speaker: key("speaker") }
    }

    /// Makes a room and goes live.
    pub fn live_room(&self, name: &str) -> Room {
        let room = self.room(name);
        self.api("POST", &format!("/api/v1/rooms/{name}/live"), &json!({}));
        room
    }

    /// Ends a room; returns when the replay can be fetched.
    pub fn end(&self, room: &Room) -> Value {
        self.api("POST", &format!("/api/v1/rooms/{}/end", room.name), &json!({}))
    }

    /// One call of the operator's.
    pub fn api(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, text) = self.try_api(method, path, &body.to_string());
        assert!((200..300).contains(&status), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// One call of the operator's with any body and any outcome.
    pub fn try_api(&self, method: &str, path: &str, body: &str) -> (u16, String) {
        let request = http_request(method, &format!("{}{path}", self.stage))
            .header("authorization", format!("Bearer {OPERATOR}"))
            .header("content-type", "application/json");
        let mut answer =
            agent().run(request.body(body.to_owned()).expect("a request")).expect("the stage answers");
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap_or_default())
    }

    /// A public page or document: status and body.
    pub fn get(&self, path: &str) -> (u16, Vec<u8>) {
        let mut answer = agent().get(format!("{}{path}", self.public)).call().expect("the node answers");
        let mut bytes = Vec::new();
        answer.body_mut().as_reader().read_to_end(&mut bytes).expect("the answer has an end");
        (answer.status().as_u16(), bytes)
    }

    /// A public stream, to be read as it comes.
    pub fn open(&self, path: &str) -> impl Read + use<> {
        let answer = agent().get(format!("{}{path}", self.public)).call().expect("the node answers");
        assert_eq!(answer.status(), 200, "{path}");
        answer.into_body().into_reader()
    }

    /// The room's status document.
    pub fn status(&self, room: &Room) -> Value {
        let (code, body) = self.get(&format!("/{}/status", room.name));
        assert_eq!(code, 200);
        serde_json::from_slice(&body).expect("the status is JSON")
    }

    /// Where a source sends: `icecast://source:KEY@host:port/room/source`, with `/name` or `?query` after it.
    pub fn source_url(&self, room: &Room, name: &str) -> String {
        let (_, host) = self.stage.split_once("://").expect("an address has a scheme");
        let suffix =
            if name.is_empty() || name.starts_with('?') { name.to_owned() } else { format!("/{name}") };
        format!("icecast://source:{}@{host}/{}/source{suffix}", room.speaker, room.name)
    }

    /// A metric's value, summed over its labels.
    pub fn metric(&self, name: &str) -> f64 {
        self.metric_of(name, "")
    }

    /// The same of those that have this in their labels.
    pub fn metric_of(&self, name: &str, label: &str) -> f64 {
        let mut answer = agent().get(format!("{}/metrics", self.ops)).call().expect("ops answers");
        let text = answer.body_mut().read_to_string().expect("metrics are text");
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])))
            .filter(|line| line.contains(label))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // Already gone after `kill` and `stop`.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Only the tests of the self-test hold it: beside a hundred nodes on one machine it would measure those.
fn self_test() -> &'static str {
    if MEASURES.get() { "true" } else { "false" }
}

thread_local! {
    static MEASURES: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
}

/// Nodes that this thread starts from now on measure what they carry.
pub fn measure() {
    MEASURES.set(true);
}

/// Between two questions: the machine is left to the node, and to the tests beside this one.
const PACE: Duration = Duration::from_millis(20);

/// Asks again until `ready` says yes.
pub fn until(what: &str, mut ready: impl FnMut() -> bool) {
    let began = Instant::now();
    while !ready() {
        assert!(began.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for: {what}");
        std::thread::park_timeout(PACE);
    }
}

/// Why sound is missing in a recording, but where the machine itself stood still.
pub fn gaps(verdict: &Value) -> Vec<&str> {
    let whys =
        verdict["gaps"].as_array().expect("gaps are listed").iter().filter_map(|gap| gap["why"].as_str());
    let (stalled, others): (Vec<_>, Vec<_>) = whys.partition(|why| *why == "stalled");
    assert!(stalled.len() <= pauses(), "the machine stood still {} times: {verdict}", pauses());
    others
}

/// A client that hands back every status instead of failing on it, and takes a self-made certificate.
pub fn agent() -> ureq::Agent {
    let any_certificate = ureq::tls::TlsConfig::builder().disable_verification(true).build();
    let config = ureq::Agent::config_builder().http_status_as_error(false).tls_config(any_certificate);
    config.timeout_global(Some(PATIENCE)).build().into()
}

fn http_request(method: &str, url: &str) -> ureq::http::request::Builder {
    ureq::http::Request::builder().method(method).uri(url)
}
