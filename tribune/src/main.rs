//! One binary: `tribune`.

mod check_config;
mod room;
mod serve;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Live conversations with a mass audience.
#[derive(Parser)]
#[command(name = "tribune", version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Args),
    Room(room::Args),
    CheckConfig(check_config::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Room(args) => room::run(args),
        Command::CheckConfig(args) => check_config::run(&args),
    }
}
