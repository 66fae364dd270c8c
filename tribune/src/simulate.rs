//! `tribune simulate`: an evening in virtual time, by the rules that a node runs.

use std::fs;
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, anyhow, ensure};
use serde_json::Value;
use tribune_core::guard::page::words::grouped;
use tribune_sim::evening::outcome::{About, Held};
use tribune_sim::evening::scenario::NODES_MAX;
use tribune_sim::evening::{self, Outcome, Scenario};

use crate::command::{exit, is_to_stop, stop_at_ctrl_c};

/// A file that is longer is no scenario, in bytes.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Lives an evening in virtual time, by the rules that a node runs: who got in, who waited how long,
/// whether it began on time, what the guard said.
///
/// The same scenario and seed give the same evening on every machine. Ctrl-C ends it early; what was lived
/// until then is told, and marked. Exit 0 when it was lived, 1 when a rule was broken, 2 when it cannot be.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tribune simulate scenarios/2024-08-12.toml
  tribune simulate scenarios/2024-08-12-eight-million.toml --nodes 40 --seed 7
  tribune simulate scenarios/radio-day.toml --json | jq .waited_s
  tribune simulate scenarios/node-dies.toml --html evening.html

docs/rehearsing.md says what a scenario's file holds.")]
pub struct Args {
    /// The scenario, TOML.
    scenario: PathBuf,
    /// Which evening of it: another one has other people.
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// As many nodes, whatever the scenario says.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(NODES_MAX)))]
    nodes: Option<u16>,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
    /// One HTML file that needs nothing beside it, with plots. One that is there is written over.
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
}

pub fn run(args: &Args) -> ExitCode {
    exit(simulate(args))
}

/// Whether the rules held.
fn simulate(args: &Args) -> anyhow::Result<bool> {
    let mut scenario = read(&args.scenario)?;
    if let Some(nodes) = args.nodes {
        scenario.nodes.count = nodes;
        scenario.check_again().map_err(|wrong| anyhow!("With {nodes} nodes: {wrong}."))?;
    }
    if let Some(html) = &args.html {
        // A long evening is not lived for a page that has no place.
        fs::File::create(html)
            .with_context(|| format!("The page cannot be written to {}", html.display()))?;
    }
    stop_at_ctrl_c();
    let begun = Instant::now();
    let mut told = Told::default();
    let mut outcome = evening::live(&scenario, args.seed, &mut |share| told.says(share));
    told.is_over();
    let assumed: Vec<String> =
        scenario.assumed.iter().cloned().chain(evening::ASSUMED.map(str::to_owned)).collect();
    let about = About {
        title: &scenario.title,
        seed: args.seed,
        people: scenario.crowd.people,
        nodes: scenario.nodes.count,
        wall_s: begun.elapsed().as_secs_f64(),
        rss_max_mb: rss_max_mb(),
        sources: &scenario.sources,
        assumed: &assumed,
        measured_from: &scenario.measured.from,
    };
    if let Some(html) = &args.html {
        let page = evening::page::page(&mut outcome, &about);
        fs::write(html, page).with_context(|| format!("The page cannot be written to {}", html.display()))?;
    }
    let document = outcome.document(&about);
    let text = if args.json { document.to_string() } else { told_of(&document, &outcome) };
    writeln!(io::stdout(), "{text}").context("What came of it cannot be written to standard output.")?;
    if !outcome.is_whole {
        let lived = i64::from(outcome.lived_s) - i64::from(scenario.evening.door_opens_before_s);
        let _ = writeln!(io::stderr(), "It was stopped {lived} s from the start; what came before is told.");
    }
    Ok(outcome.is_whole && outcome.wrong.is_empty() && outcome.books_balanced && outcome.over_cap == 0)
}

/// The scenario of a file.
pub fn read(path: &Path) -> anyhow::Result<Scenario> {
    let name = path.display();
    let about = fs::metadata(path).with_context(|| format!("The scenario {name} cannot be read"))?;
    ensure!(about.is_file() && about.len() <= FILE_BYTES_MAX, "{name} is no scenario: name a TOML file.");
    let text = fs::read_to_string(path).with_context(|| format!("{name} cannot be read"))?;
    Scenario::parse(&text).map_err(|wrong| anyhow!("{name}: {wrong}."))
}

/// The most memory that this process had, in MB.
fn rss_max_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kb = line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse::<f64>().ok());
    kb.unwrap_or_default() * 1_024.0 / 1e6
}

/// How far it is, for people at a terminal.
#[derive(Default)]
struct Told {
    percent: u32,
}

impl Told {
    fn says(&mut self, share: f64) -> bool {
        let percent = (share * 100.0) as u32;
        if percent > self.percent && io::stderr().is_terminal() {
            self.percent = percent;
            let _ = write!(io::stderr(), "\r{percent:3} % of the evening");
        }
        !is_to_stop()
    }

    fn is_over(&self) {
        if self.percent > 0 {
            let _ = write!(io::stderr(), "\r                      \r");
        }
    }
}

/// What came of it, for people.
fn told_of(document: &Value, outcome: &Outcome) -> String {
    let number = |name: &str| grouped(document[name].as_u64().unwrap_or_default());
    let times = |name: &str, unit: &str| {
        let at = |percent: &str| document[name][percent].as_f64().map(|one| grouped(one.round() as u64));
        match (at("p50"), at("p90"), at("p99")) {
            (Some(p50), Some(p90), Some(p99)) => format!("{p50} {unit} (half), {p90} (90 %), {p99} (99 %)"),
            _ => "nobody".to_owned(),
        }
    };
    let started = match outcome.started_late_s {
        None => "nobody heard anything".to_owned(),
        Some(late) if late >= 1.0 => format!("the first heard it {late:.1} s late"),
        Some(_) => "on time".to_owned(),
    };
    let mut lines = vec![
        format!(
            "{} (seed {}, simulated)",
            document["scenario"].as_str().unwrap_or_default(),
            document["seed"]
        ),
        String::new(),
        format!(
            "people       {} came, on {} nodes with at most {} seats",
            number("came"),
            number("nodes"),
            number("cap_max")
        ),
        format!("started      {started}"),
        format!("let in       {} in all, {} at once at most", number("seated"), number("seated_max")),
        format!("waited       {}", times("waited_s", "s")),
        format!("first sound  {}", times("first_sound_ms", "ms")),
        format!(
            "turned away  {} waited to the end, {} gave up, {} had no ticket; {} hear the replay",
            number("turned_away"),
            number("gave_up"),
            number("no_ticket"),
            number("replays")
        ),
        format!(
            "errors       {} pages, {} requests put off, {} seats beyond the cap",
            number("error_pages"),
            number("put_off"),
            number("over_cap")
        ),
        format!(
            "gaps         {}, the longest {} ms",
            grouped(outcome.gaps_ms.count() as u64),
            grouped(outcome.gaps_ms.longest().into())
        ),
        format!(
            "books        {}; order {}",
            if outcome.books_balanced { "balanced" } else { "NOT balanced" },
            if outcome.order_kept { "kept" } else { "NOT kept" }
        ),
    ];
    let is_told = |held: &&Held| held.to_s > held.from_s + 10 || matches!(held.kind, "attack" | "both");
    for held in outcome.verdicts.iter().filter(is_told) {
        let fault = if held.self_inflicted { ", our own fault" } else { "" };
        lines.push(format!("verdict      {}{fault} from {} s to {} s", held.kind, held.from_s, held.to_s));
    }
    lines.extend(outcome.wrong.iter().map(|wrong| format!("wrong        {wrong}")));
    lines.push(format!(
        "digest       {}, in {:.1} s and {:.0} MB",
        outcome.digest,
        document["wall_s"].as_f64().unwrap_or_default(),
        document["rss_max_mb"].as_f64().unwrap_or_default()
    ));
    lines.join("\n")
}
