//! An Icecast to stand beside the node: one mount, on loopback, with the burst it is told.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

/// What Icecast gives a new listener at once when its configuration says nothing.
pub const BURST_BYTES_DEFAULT: u32 = 65_536;
/// The source's password.
pub const PASSWORD: &str = "source-of-the-benchmarks";
/// Listeners, where few come.
const CLIENTS_MAX: u32 = 100;
const START: Duration = Duration::from_secs(10);

/// One running Icecast.
pub struct Icecast {
    child: Child,
    folder: PathBuf,
    /// `http://127.0.0.1:port`.
    pub url: String,
}

impl Icecast {
    /// Starts `icecast2`, which gives new listeners `burst_bytes` at once. Root is left for `nobody`, since
    /// Icecast refuses to run as root.
    ///
    /// # Errors
    /// It is not installed, or does not listen within 10 s.
    pub fn start(burst_bytes: u32) -> anyhow::Result<Self> {
        Self::start_by(Command::new("icecast2"), (CLIENTS_MAX, burst_bytes))
    }

    /// The same for so many listeners, by a command that runs it with the arguments it is given.
    ///
    /// # Errors
    /// As above.
    pub fn start_by(mut command: Command, (clients_max, burst_bytes): (u32, u32)) -> anyhow::Result<Self> {
        let folder = std::env::temp_dir().join(format!("icecast-bench-{}", std::process::id()));
        std::fs::create_dir_all(&folder)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let config = folder.join("icecast.xml");
        std::fs::write(&config, configuration(port, (clients_max, burst_bytes)))?;
        let child = command
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("icecast2 does not start: apt-get install icecast2")?;
        let icecast = Self { child, folder, url: format!("http://127.0.0.1:{port}") };
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            if began.elapsed() > START {
                bail!("icecast2 does not listen on port {port}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(icecast)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Icecast {
    fn drop(&mut self) {
        // It may have died; then the folder is all there is to remove.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn configuration(port: u16, (clients_max, burst_bytes): (u32, u32)) -> String {
    format!(
        "<icecast>
  <limits><clients>{clients_max}</clients><sources>2</sources><burst-size>{burst_bytes}</burst-size></limits>
  <authentication>
    <source-password>{PASSWORD}</source-password>
    <admin-user>admin</admin-user><admin-password>{PASSWORD}-admin</admin-password>
  </authentication>
  <hostname>127.0.0.1</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <paths>
    <basedir>/usr/share/icecast2</basedir><webroot>/usr/share/icecast2/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot><logdir>/tmp</logdir>
  </paths>
  <logging><accesslog>-</accesslog><errorlog>-</errorlog><loglevel>1</loglevel></logging>
  <security><chroot>0</chroot><changeowner><user>nobody</user><group>nogroup</group></changeowner></security>
</icecast>
"
    )
}
