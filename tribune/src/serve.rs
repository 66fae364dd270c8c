//! `tribune serve`: runs a node.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use tribune_server::config::{Config, ConfigError, Sources};
use tribune_server::run::Listening;

/// Runs a node.
///
/// Flags override TRIBUNE_* variables, which override the file.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Configuration file [default: tribune.toml, when it exists]
    #[arg(long, value_name = "FILE", env = "TRIBUNE_CONFIG")]
    config: Option<PathBuf>,
    /// Where listeners come in [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// Where hosts, speakers, sources and the API come in [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR")]
    stage: Option<String>,
    /// Where health and metrics are read [default: 127.0.0.1:9090]
    #[arg(long, value_name = "ADDR")]
    ops: Option<String>,
    /// Where everything is kept [default: ./tribune-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// The operator's key [default: made once and kept in the data folder]
    #[arg(long, value_name = "KEY")]
    operator_key: Option<String>,
    /// Certificate chain for HTTPS, PEM
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<String>,
    /// Its private key, PEM
    #[arg(long, value_name = "FILE")]
    tls_key: Option<String>,
    /// Get and renew a certificate for this domain
    #[arg(long, value_name = "DOMAIN")]
    acme: Option<String>,
    /// Proxies whose word about the visitor's address is believed
    #[arg(long, value_name = "CIDR", num_args = 1.., value_delimiter = ',')]
    trusted_proxy: Vec<String>,
    /// Where speakers' sound comes in from browsers, UDP and TCP [default: 127.0.0.1:8082]
    #[arg(long, value_name = "ADDR")]
    media: Option<String>,
    /// The kernel refuses, by nftables, whom the guard refuses
    #[arg(long)]
    kernel_shed: bool,
}

const EXAMPLES: &str = "\
Examples:
  tribune serve
  tribune serve --listen 0.0.0.0:443 --acme live.example.org --stage 10.0.0.5:8081
  TRIBUNE_DATA=/var/lib/tribune tribune serve --config /etc/tribune.toml";

pub fn run(args: Args) -> ExitCode {
    let config = match args.load() {
        Ok(config) => config,
        Err(error) => return fail(&error.to_string(), 2),
    };
    if let Err(error) = tribune_server::run::logs(&config) {
        return fail(&format!("{error:#}"), 2);
    }
    let ran = tribune_server::run::run(config, say_where);
    // The sentence about what went wrong comes after the lines that led to it.
    tribune_server::run::flush_logs();
    match ran {
        Ok(None) => ExitCode::SUCCESS,
        Ok(Some(again)) => {
            let program = again.program().display().to_string();
            fail(&format!("cannot begin again as {program}: {}", again.begin()), 2)
        }
        Err(error) => fail(&format!("{error:#}"), 2),
    }
}

/// Lines for people and scripts: which listener, and its address.
fn say_where(listening: &Listening) {
    let mut out = std::io::stdout().lock();
    let scheme = if listening.tls { "https" } else { "http" };
    let listeners = [
        ("listen", scheme, &listening.public),
        ("stage", scheme, &listening.stage),
        ("ops", "http", &listening.ops),
    ];
    for (name, scheme, addrs) in listeners {
        for addr in addrs {
            // Nobody need read it; the log says it too.
            let _ = writeln!(out, "{name:<6} {scheme}://{addr}");
        }
    }
    let _ = writeln!(out, "{:<6} udp+tcp://{}", "media", listening.media);
    let _ = out.flush();
}

impl Args {
    fn load(self) -> Result<Config, ConfigError> {
        let single = [
            ("listen", self.listen),
            ("stage", self.stage),
            ("ops", self.ops),
            ("media", self.media),
            ("data", self.data),
            ("operator_key", self.operator_key),
            ("tls_cert", self.tls_cert),
            ("tls_key", self.tls_key),
            ("acme", self.acme),
        ];
        let mut flags: Vec<_> =
            single.into_iter().filter_map(|(name, value)| value.map(|value| (name, vec![value]))).collect();
        if self.kernel_shed {
            flags.push(("kernel_shed", vec!["true".to_owned()]));
        }
        if !self.trusted_proxy.is_empty() {
            flags.push(("trusted_proxy", self.trusted_proxy));
        }
        // A variable that is not text cannot be one of ours.
        let variables = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("TRIBUNE_"))
            .collect();
        Config::load(&Sources { file: self.config, variables, flags })
    }
}

fn fail(sentence: &str, code: u8) -> ExitCode {
    // There is nobody left to tell when standard error is closed.
    let _ = writeln!(std::io::stderr(), "tribune serve: {sentence}");
    ExitCode::from(code)
}
