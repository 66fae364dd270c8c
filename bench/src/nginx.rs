//! An nginx to stand beside the node, or in front of it: one process, on a port of its own.

use std::fmt::Write;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};

use crate::fanout::secure::Files;

/// Connections it may have, of itself and to where it passes requests on.
const CONNECTIONS: u32 = 16_000;
const START: Duration = Duration::from_secs(10);
/// Where Debian keeps it, which is not in everybody's path.
const PROGRAMS: [&str; 2] = ["/usr/sbin/nginx", "/usr/bin/nginx"];

/// One running nginx.
pub struct Nginx {
    child: Child,
    /// Where it listens.
    pub at: SocketAddr,
}

/// What it is to do.
pub struct Wanted<'a> {
    /// What it writes, and its configuration.
    pub folder: &'a Path,
    /// What it presents, where TLS is spoken.
    pub tls: Option<&'a Files>,
    /// Lines for all servers, such as a cache.
    pub http: &'a str,
    /// Lines for its one server.
    pub server: &'a str,
}

/// Where nginx is.
///
/// # Errors
/// It is not installed.
pub fn program() -> anyhow::Result<PathBuf> {
    let found = PROGRAMS.map(PathBuf::from).into_iter().find(|program| program.exists());
    found.context("nginx is not installed: apt-get install nginx-light")
}

impl Nginx {
    /// Starts it by a command that runs [`program`] with the arguments it is given.
    ///
    /// # Errors
    /// It does not start, or does not listen within 10 s.
    pub fn start(mut command: Command, wanted: &Wanted<'_>) -> anyhow::Result<Self> {
        let at = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        std::fs::create_dir_all(wanted.folder)?;
        let config = wanted.folder.join("nginx.conf");
        std::fs::write(&config, configuration(at, wanted)?)?;
        let errors = wanted.folder.join("error.log");
        command.arg("-p").arg(wanted.folder).arg("-c").arg(&config).arg("-e").arg(errors);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().context("nginx")?;
        let nginx = Self { child, at };
        let began = Instant::now();
        while TcpStream::connect(at).is_err() {
            if began.elapsed() > START {
                bail!("nginx does not listen on {at}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(nginx)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // It may have died.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn configuration(at: SocketAddr, wanted: &Wanted<'_>) -> anyhow::Result<String> {
    let folder = wanted.folder.display();
    let mut config = format!(
        "daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/error.log warn;\n\
         worker_rlimit_nofile 20000; events {{ worker_connections {CONNECTIONS}; }}\n\
         http {{ access_log off; default_type application/json; keepalive_requests 1000000000;\n\
         open_file_cache max=100; open_file_cache_valid 60s;\n"
    );
    for (kind, name) in
        [("client_body", "b"), ("proxy", "p"), ("fastcgi", "f"), ("uwsgi", "u"), ("scgi", "s")]
    {
        writeln!(config, "{kind}_temp_path {folder}/{name};")?;
    }
    writeln!(config, "{}", wanted.http)?;
    let ssl = if wanted.tls.is_some() { " ssl" } else { "" };
    writeln!(config, "server {{ listen {at} backlog=16384{ssl}; ssl_protocols TLSv1.3;")?;
    if let Some(Files { cert, key }) = wanted.tls {
        writeln!(config, "ssl_certificate {}; ssl_certificate_key {};", cert.display(), key.display())?;
    }
    writeln!(config, "{} }} }}", wanted.server)?;
    Ok(config)
}
