//! `tribune serve`: runs a node.

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use tribune_server::config::{Config, ConfigError, Sources};

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
    #[arg(long, hide = true)]
    media: Option<String>,
    #[arg(long, hide = true)]
    nats: Option<String>,
    #[arg(long, hide = true)]
    store: Option<String>,
    #[arg(long, hide = true)]
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
    match tribune_server::run::run(config) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&format!("{error:#}"), 2),
    }
}

impl Args {
    fn load(self) -> Result<Config, ConfigError> {
        let later = [
            ("--media", self.media.is_some()),
            ("--nats", self.nats.is_some()),
            ("--store", self.store.is_some()),
            ("--kernel-shed", self.kernel_shed),
        ];
        if let Some((flag, _)) = later.into_iter().find(|(_, given)| *given) {
            let what = "belongs to a feature this version does not have; leave it out".to_owned();
            return Err(ConfigError { at: flag.to_owned(), line: None, what });
        }
        let single = [
            ("listen", self.listen),
            ("stage", self.stage),
            ("ops", self.ops),
            ("data", self.data),
            ("operator_key", self.operator_key),
            ("tls_cert", self.tls_cert),
            ("tls_key", self.tls_key),
            ("acme", self.acme),
        ];
        let mut flags: Vec<_> =
            single.into_iter().filter_map(|(name, value)| value.map(|value| (name, vec![value]))).collect();
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
