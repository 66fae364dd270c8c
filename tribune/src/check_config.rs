//! `tribune check-config`: can this file be used?

use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use tribune_server::config::Config;
use tribune_server::run;

/// Says whether a configuration file, and the files it names, can be used.
///
/// Exit 0, or 2 with the line and what is wrong.
#[derive(clap::Args)]
#[command(after_help = "Example:\n  tribune check-config tribune.toml")]
pub struct Args {
    /// The file.
    file: PathBuf,
}

pub fn run(args: &Args) -> ExitCode {
    match Config::load_file(&args.file, run::try_files) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => {
            // There is nobody left to tell when standard error is closed.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::from(2)
        }
    }
}
