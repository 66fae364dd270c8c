//! One binary: `tribune`.

mod capacity;
mod check_config;
mod command;
mod demo;
mod inspect;
mod plan;
mod rehearse;
mod report;
mod room;
mod serve;
mod simulate;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// A connection takes and gives back some tens of pieces of memory; with the C library's allocator that was a
/// fifth of what answering a crowd costs.
#[global_allocator]
static MEMORY: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
    Demo(demo::DemoArgs),
    Room(room::Args),
    Verify(verify::VerifyArgs),
    CheckConfig(check_config::Args),
    Capacity(capacity::Args),
    Inspect(inspect::Args),
    Report(report::Args),
    Simulate(simulate::Args),
    Plan(plan::Args),
    Rehearse(rehearse::Args),
}

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => demo::run(&args),
        Command::Room(args) => room::run(args),
        Command::Verify(args) => verify::run(&args),
        Command::CheckConfig(args) => check_config::run(&args),
        Command::Capacity(args) => capacity::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Rehearse(args) => rehearse::run(&args),
    }
}
