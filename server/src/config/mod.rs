//! What a node is told before it starts: every option once, in one table.
//!
//! The table in `options.rs` is read by the file parser, the environment, the flags and the example file, so
//! that none of them can know an option the others do not.

mod base;
mod file;
mod options;

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use tribune_core::room::Key;

use crate::capacity::{self, Climbs};
use crate::net::redirect::Places;

pub use options::{LATER, OPTIONS, Opt};

#[cfg(test)]
mod tests;

/// The file that is read when none is named and it exists.
pub const FILE_DEFAULT: &str = "tribune.toml";
/// Where certificate authorities ask, and where browsers begin.
const HTTP_PORT: u16 = 80;
/// Largest configuration file that is read, in bytes.
pub const FILE_BYTES_MAX: u64 = 1 << 20;

/// A node's configuration. What each option means stands in `OPTIONS`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// The public listener.
    pub listen: SocketAddr,
    /// The listener for hosts, speakers and the API.
    pub stage: SocketAddr,
    /// The listener for health and metrics.
    pub ops: SocketAddr,
    /// Where speakers' sound comes in: UDP and TCP.
    pub media: SocketAddr,
    /// The addresses speakers are told in place of `media`'s.
    pub media_public: Vec<IpAddr>,
    /// The listener that sends plain HTTP on to HTTPS.
    pub redirect: Option<SocketAddr>,
    /// Where everything is kept.
    pub data: PathBuf,
    /// The operator's key, when it is not the one kept in the data folder.
    pub operator_key: Option<Key>,
    /// The certificate chain, PEM.
    pub tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub tls_key: Option<PathBuf>,
    /// The domain to get a certificate for by ACME.
    pub acme: Option<String>,
    /// The authority's directory; Let's Encrypt without it.
    pub acme_directory: Option<String>,
    /// Where the authority can reach a person.
    pub acme_contact: Option<String>,
    /// The root of an authority of one's own, PEM.
    pub acme_root: Option<PathBuf>,
    /// The proxies that are believed.
    pub trusted_proxy: Vec<IpNet>,
    /// The address the public listener has in links.
    pub public_url: Option<String>,
    /// The address the stage listener has in links.
    pub stage_url: Option<String>,
    /// Seats of the node at most; 0: as many as it was measured to carry.
    pub seats_max: u32,
    /// Whether it is measured what a listener costs.
    pub self_test: bool,
    /// What the network carries, in Mbit/s; 0: as fast as the interface says it is.
    pub egress_mbit: u32,
    /// Whether newcomers are served otherwise before anybody waits.
    pub ladder: bool,
    /// Whether the kernel refuses whom the guard refuses.
    pub kernel_shed: bool,
    /// Rooms kept.
    pub rooms_max: u32,
    /// Rooms whose program runs at once.
    pub rooms_open_max: u32,
    /// Seconds before a scheduled start at which the hold sound begins.
    pub open_before_s: u32,
    /// The hold sound; the built-in one without it.
    pub hold_sound: Option<PathBuf>,
    /// Seconds in which listeners are sent elsewhere before the node stops.
    pub leave_s: u32,
    /// Days a recording is kept; 0: for ever.
    pub retention_days: u32,
    /// Gigabytes all recordings may fill; 0: the disk.
    pub recordings_gb_max: u32,
    /// Milliseconds a webhook's receiver has to answer.
    pub webhook_timeout_ms: u32,
    /// Tries before a webhook is given up.
    pub webhook_tries_max: u32,
    /// Whether webhooks may go to private addresses.
    pub webhook_private: bool,
    /// How logs are written.
    pub log_format: LogFormat,
    /// Which log lines are written.
    pub log_filter: String,
}

/// How logs are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// Lines for people.
    Text,
    /// One JSON document a line.
    Json,
}

impl Default for Config {
    fn default() -> Self {
        let loopback = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        Self {
            listen: loopback(8080),
            stage: loopback(8081),
            ops: loopback(9090),
            media: loopback(8082),
            media_public: Vec::new(),
            redirect: None,
            data: "./tribune-data".into(),
            operator_key: None,
            tls_cert: None,
            tls_key: None,
            acme: None,
            acme_directory: None,
            acme_contact: None,
            acme_root: None,
            trusted_proxy: Vec::new(),
            public_url: None,
            stage_url: None,
            seats_max: 0,
            self_test: true,
            egress_mbit: 0,
            ladder: true,
            kernel_shed: false,
            rooms_max: 1_000,
            rooms_open_max: 8,
            open_before_s: 600,
            hold_sound: None,
            leave_s: 0,
            retention_days: 0,
            recordings_gb_max: 0,
            webhook_timeout_ms: 5_000,
            webhook_tries_max: 6,
            webhook_private: false,
            log_format: LogFormat::Text,
            log_filter: "info".into(),
        }
    }
}

/// What is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, variable or flag.
    pub at: String,
    /// The line, counted from 1, when it is a file.
    pub line: Option<usize>,
    /// A sentence.
    pub what: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.at, self.what),
            None => write!(f, "{}: {}", self.at, self.what),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Where options come from besides the defaults, weakest first.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file named by `--config`; without it `tribune.toml` is read when it exists.
    pub file: Option<PathBuf>,
    /// `TRIBUNE_*` variables, by name.
    pub variables: Vec<(String, String)>,
    /// Flags by option name, with all their values.
    pub flags: Vec<(&'static str, Vec<String>)>,
}

impl Config {
    /// Defaults, then the file, then the environment, then the flags.
    ///
    /// # Errors
    /// The first thing that is wrong, with its place.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let mut lines = file::Lines::default();
        if let Some(path) = sources.file.as_deref().or_else(|| default_file()) {
            lines = config.read_file(path)?;
        }
        for (name, value) in &sources.variables {
            config.set_variable(name, value)?;
        }
        for (name, values) in &sources.flags {
            let flag = format!("--{}", name.replace('_', "-"));
            let opt = options::find(name).ok_or_else(|| wrong(&flag, "is not an option".into()))?;
            (opt.set)(&mut config, values).map_err(|what| wrong(&flag, what))?;
        }
        config.check(&lines)?;
        Ok(config)
    }

    /// A file alone, over the defaults: what `tribune check-config` looks at. `also` says what else is wrong,
    /// by the option's name and in a sentence.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn load_file(
        path: &Path,
        also: impl FnOnce(&Self) -> Result<(), (&'static str, String)>,
    ) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let lines = config.read_file(path)?;
        config.check(&lines)?;
        also(&config).map_err(|(name, what)| lines.wrong(&[name], what))?;
        Ok(config)
    }

    /// The text of a file alone, over the defaults.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn load_text(text: &str) -> Result<Self, ConfigError> {
        let mut config = Self::default();
        let lines = config.read_text(FILE_DEFAULT.to_owned(), text)?;
        config.check(&lines)?;
        Ok(config)
    }

    /// The example file: every option once, commented out where it has no default.
    pub fn example() -> String {
        let config = Self::default();
        let mut text = String::from(EXAMPLE_HEAD);
        for opt in &OPTIONS {
            let shown = (opt.show)(&config);
            text.push_str(&format!("\n# {}\n# Unit: {}.", opt.says, opt.unit));
            match shown {
                Some(value) => text.push_str(&format!("\n{} = {value}\n", opt.name)),
                None => text.push_str(&format!(" No default.\n#{} = {}\n", opt.name, opt.sample)),
            }
        }
        text
    }

    /// What the operator says of the seats.
    pub fn capacity(&self) -> capacity::Limits {
        let seats_max = (self.seats_max > 0).then_some(u64::from(self.seats_max));
        capacity::Limits { seats_max, ladder: if self.ladder { Climbs::Yes } else { Climbs::No } }
    }

    /// What the network carries, in Mbit/s, when the operator says so.
    pub fn egress(&self) -> Option<u64> {
        (self.egress_mbit > 0).then_some(u64::from(self.egress_mbit))
    }

    /// The base of public links, without a slash at its end.
    pub fn public_base(&self) -> String {
        self.public_url.clone().unwrap_or_else(|| self.base_of(self.listen))
    }

    /// The base of links for hosts and speakers, without a slash at its end.
    pub fn stage_base(&self) -> String {
        self.stage_url.clone().unwrap_or_else(|| self.base_of(self.stage))
    }

    /// Where plain HTTP is sent on to HTTPS. The authority of `--acme` asks port 80 and no other, so that one
    /// is taken unless something else was said.
    pub fn redirect_at(&self) -> Option<SocketAddr> {
        let standard = || self.acme.as_ref().map(|_| SocketAddr::new(self.listen.ip(), HTTP_PORT));
        self.redirect.or_else(standard)
    }

    /// The names a certificate is fetched for: the domain, and the stage's when it has one of its own.
    pub fn acme_domains(&self) -> Vec<String> {
        let domain = self.acme.iter().cloned();
        let stage = self.secure_places().stage.map(|(host, _)| host);
        let stage = stage.filter(|host| options::is_domain(host) && self.acme.as_ref() != Some(host));
        domain.chain(stage).collect()
    }

    /// Where port 80 leads to.
    pub fn secure_places(&self) -> Places {
        let stage = self.stage_url.as_deref().and_then(base::secure_place);
        Places { public_port: self.listen.port(), stage }
    }

    /// Whether the audience comes by TLS that ends here.
    pub fn has_tls(&self) -> bool {
        self.acme.is_some() || self.tls_cert.is_some()
    }

    fn base_of(&self, addr: SocketAddr) -> String {
        let scheme = if self.has_tls() { "https" } else { "http" };
        let domain = self.acme.as_deref();
        base::Base { scheme, domain, addr, machine: base::machine() }.written()
    }

    /// Options whose absence makes links name this machine by what it calls itself, which others may not
    /// know it by: their listeners are on all addresses, and nothing says what they are called.
    pub fn guessed_links(&self) -> Vec<&'static str> {
        let links =
            [("public_url", &self.public_url, self.listen), ("stage_url", &self.stage_url, self.stage)];
        let guessed = links
            .iter()
            .filter(|(_, url, addr)| url.is_none() && self.acme.is_none() && addr.ip().is_unspecified());
        guessed.map(|(name, ..)| *name).collect()
    }

    pub(crate) fn set_variable(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let Some(word) = name.strip_prefix("TRIBUNE_").filter(|_| !value.is_empty()) else { return Ok(()) };
        let word = word.to_ascii_lowercase();
        if LATER.contains(&word.as_str()) {
            return Err(wrong(name, options::later(&word)));
        }
        // Other programs' variables may share the prefix (a cluster names a service's address so), so unknown
        // ones are let be.
        let Some(opt) = options::find(&word) else { return Ok(()) };
        let values = opt.split(value);
        (opt.set)(self, &values).map_err(|what| wrong(name, what))
    }

    /// What no option can see alone.
    fn check(&self, lines: &file::Lines) -> Result<(), ConfigError> {
        let fail = |name: &str, what: &str| Err(lines.wrong(&[name], what.to_owned()));
        match (&self.tls_cert, &self.tls_key, &self.acme) {
            (Some(_), None, _) => return fail("tls_cert", "tls_cert needs tls_key beside it"),
            (None, Some(_), _) => return fail("tls_key", "tls_key needs tls_cert beside it"),
            (Some(_), Some(_), Some(_)) => return fail("acme", "use either acme or tls_cert and tls_key"),
            (Some(_), Some(_), None) | (None, None, Some(_) | None) => {}
        }
        if self.redirect.is_some() && self.acme.is_none() && self.tls_cert.is_none() {
            return fail("redirect", "redirect leads to HTTPS: it needs acme, or tls_cert and tls_key");
        }
        for name in ["acme_directory", "acme_contact", "acme_root"] {
            let given = options::find(name).is_some_and(|opt| (opt.show)(self).is_some());
            if given && self.acme.is_none() {
                return fail(
                    name,
                    &format!("{name} says how a certificate is fetched, but acme names no domain"),
                );
            }
        }
        let redirect = self.redirect_at().map(|addr| ("redirect", addr));
        let named =
            [("listen", self.listen), ("stage", self.stage), ("ops", self.ops), ("media", self.media)];
        let named: Vec<_> = named.into_iter().chain(redirect).collect();
        for (n, (name, addr)) in named.iter().enumerate() {
            if let Some((other, _)) = named[..n].iter().find(|(_, taken)| taken == addr && addr.port() != 0) {
                // The later one, or the other when that one is the default.
                return Err(lines.wrong(&[name, other], format!("{name} and {other} cannot both be {addr}")));
            }
        }
        Ok(())
    }
}

const EXAMPLE_HEAD: &str = "\
# tribune.toml: every option once. A flag of `tribune serve` or a variable TRIBUNE_<OPTION> overrides
# what stands here. `tribune check-config tribune.toml` says whether it can be used.
";

fn default_file() -> Option<&'static Path> {
    let path = Path::new(FILE_DEFAULT);
    path.is_file().then_some(path)
}

fn wrong(at: &str, what: String) -> ConfigError {
    ConfigError { at: at.to_owned(), line: None, what }
}
