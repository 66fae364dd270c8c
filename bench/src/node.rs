//! The binary under measurement, on free ports, with a data folder that goes away.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use anyhow::{Context, bail};
use serde_json::{Value, json};

use crate::beside::until;

/// Each has a folder of its own.
static STARTED: AtomicU32 = AtomicU32::new(0);
const OPERATOR: &str = "operator-key-of-the-benchmarks-01234";

/// What is measured: `TRIBUNE`, else the release build.
pub fn binary() -> PathBuf {
    std::env::var_os("TRIBUNE").map_or_else(|| "target/release/tribune".into(), PathBuf::from)
}

/// Whoever measures a node made its certificate.
fn agent(is_status_error: bool) -> ureq::Agent {
    let tls = ureq::tls::TlsConfig::builder().disable_verification(true).build();
    ureq::Agent::config_builder().http_status_as_error(is_status_error).tls_config(tls).build().into()
}

/// One running node.
pub struct Node {
    child: Child,
    data: PathBuf,
    /// `http://127.0.0.1:port` of the public listener.
    pub public: String,
    /// The same of the stage listener.
    pub stage: String,
    ops: String,
}

impl Node {
    /// Starts `binary serve` with an empty data folder below the system's temporary one.
    ///
    /// # Errors
    /// The binary does not start, or does not say where it listens.
    pub fn start(binary: &Path) -> anyhow::Result<Self> {
        Self::start_by(Command::new(binary))
    }

    /// The same by a command that runs the binary with the arguments it is given.
    ///
    /// # Errors
    /// As above.
    pub fn start_by(command: Command) -> anyhow::Result<Self> {
        Self::start_with(command, |_| Ok(()))
    }

    /// The same with something in its data folder.
    ///
    /// # Errors
    /// As above, or it cannot be put there.
    pub fn start_with(
        mut command: Command,
        put: impl FnOnce(&Path) -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let data = std::env::temp_dir().join(format!("tribune-bench-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&data)?;
        put(&data)?;
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--stage", "127.0.0.1:0", "--ops", "127.0.0.1:0"])
            .args(["--media", "127.0.0.1:0", "--operator-key", OPERATOR, "--data"])
            .arg(&data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("the binary does not start: build it with `make build`")?;
        let mut lines = BufReader::new(child.stdout.take().context("stdout is piped")?).lines();
        let mut address = |name: &str| -> anyhow::Result<String> {
            let line = lines.next().context("the node ended before it listened")??;
            Ok(line
                .strip_prefix(name)
                .with_context(|| format!("expected {name}, read {line:?}"))?
                .trim()
                .to_owned())
        };
        let (public, stage, ops) = (address("listen")?, address("stage")?, address("ops")?);
        std::thread::spawn(move || lines.for_each(drop));
        Ok(Self { child, data, public, stage, ops })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A document in its data folder.
    ///
    /// # Errors
    /// It is not there.
    pub fn kept(&self, name: &str) -> anyhow::Result<Value> {
        let text = std::fs::read(self.data.join(name)).with_context(|| name.to_owned())?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// Makes a room that is live; gives its speaker key.
    ///
    /// # Errors
    /// The API refuses.
    pub fn live_room(&self, name: &str) -> anyhow::Result<String> {
        let made = self.api("/api/v1/rooms", &json!({"room": name, "title": "A measurement"}))?;
        self.api(&format!("/api/v1/rooms/{name}/live"), &json!({}))?;
        Ok(made["keys"]["speaker"].as_str().context("a new room has keys")?.to_owned())
    }

    /// Waits until the self-test, which takes the whole machine, is over.
    ///
    /// # Errors
    /// It takes more than a minute.
    pub fn is_measured(&self, room: &str) -> anyhow::Result<()> {
        until("the node has measured itself", || Ok(self.status(room)?["seats"]["measured"].is_u64()))
    }

    /// One `POST` of the operator's.
    ///
    /// # Errors
    /// The API refuses.
    pub fn api(&self, path: &str, body: &Value) -> anyhow::Result<Value> {
        let mut answer = agent(false)
            .post(format!("{}{path}", self.stage))
            .header("authorization", format!("Bearer {OPERATOR}"))
            .send_json(body)
            .with_context(|| path.to_owned())?;
        let text = answer.body_mut().read_to_string()?;
        if !answer.status().is_success() {
            bail!("{path}: {} {text}", answer.status());
        }
        Ok(serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// A room's status.
    ///
    /// # Errors
    /// The public listener does not answer.
    pub fn status(&self, room: &str) -> anyhow::Result<Value> {
        let mut answer = agent(true)
            .get(format!("{}/{room}/status", self.public))
            .call()
            .with_context(|| format!("the status of {room}"))?;
        let text = answer.body_mut().read_to_string()?;
        Ok(serde_json::from_str(&text)?)
    }

    /// All metrics of one moment.
    ///
    /// # Errors
    /// The ops listener does not answer.
    pub fn scrape(&self) -> anyhow::Result<Scrape> {
        Ok(Scrape(agent(true).get(format!("{}/metrics", self.ops)).call()?.body_mut().read_to_string()?))
    }

    /// Whom the guard refuses for a while, a network a line.
    ///
    /// # Errors
    /// The ops listener does not answer.
    pub fn refused(&self) -> anyhow::Result<String> {
        Ok(agent(true).get(format!("{}/guard/refused", self.ops)).call()?.body_mut().read_to_string()?)
    }

    /// The sum of one metric over its labels; 0 when it is not there.
    ///
    /// # Errors
    /// The ops listener does not answer.
    pub fn metric(&self, name: &str) -> anyhow::Result<f64> {
        Ok(self.scrape()?.metric(name))
    }

    /// Memory it has, in MiB.
    ///
    /// # Errors
    /// The process is gone.
    pub fn resident_mib(&self) -> anyhow::Result<f64> {
        Ok(resident_bytes(self.pid())? as f64 / f64::from(1 << 20))
    }

    /// Processor time used so far, user and system, in seconds (`/proc/PID/stat`, clock ticks of 10 ms).
    ///
    /// # Errors
    /// The process is gone.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        cpu_s(self.pid())
    }
}

/// All metrics of one moment, as the node wrote them.
pub struct Scrape(String);

impl Scrape {
    /// The sum of one metric over those of its lines that have this label; 0 without any.
    pub fn metric_of(&self, name: &str, label: &str) -> f64 {
        self.sum(|line| line.starts_with(name) && line.contains(label))
    }

    /// The sum of one metric over its labels; 0 when it is not there.
    pub fn metric(&self, name: &str) -> f64 {
        self.sum(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
    }

    fn sum(&self, is_of: impl Fn(&str) -> bool) -> f64 {
        let lines = self.0.lines().filter(|line| is_of(line));
        lines.filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).sum()
    }
}

/// Memory any process has, in bytes (`VmRSS` of `/proc/PID/status`).
///
/// # Errors
/// The process is gone.
pub fn resident_bytes(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse()?;
    Ok(kib * 1_024)
}

/// What the kernel keeps for all connections of this machine, in MiB (`/proc/net/sockstat`, in pages).
///
/// # Errors
/// The system does not say.
pub fn kernel_tcp_mib() -> anyhow::Result<f64> {
    let all = std::fs::read_to_string("/proc/net/sockstat")?;
    let line = all.lines().find(|line| line.starts_with("TCP:")).context("no TCP")?;
    let pages: f64 = line.rsplit(' ').next().context("no pages")?.parse()?;
    Ok(pages * 4_096.0 / f64::from(1 << 20))
}

/// Processor time of any process so far, user and system, in seconds.
///
/// # Errors
/// The process is gone.
pub fn cpu_s(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("a stat line has a name")?.1;
    let fields: Vec<&str> = after_name.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(0.0);
    Ok((ticks(11) + ticks(12)) / 100.0)
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have died; then the folder is all there is to remove.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.data);
    }
}
