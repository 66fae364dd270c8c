//! `tribune plan`: what an evening will take.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context, anyhow, ensure};
use serde_json::{Value, json};
use tribune_core::guard::page::words::grouped;
use tribune_sim::evening::Scenario;
use tribune_sim::evening::plan::{Asked, CAP_TO_BROKEN, Plan, Way, plan};

use crate::command::exit;
use crate::simulate::read;

/// Where costs and the size of a node come from when no scenario is named.
const MEASURED: &str = include_str!("../../scenarios/2024-08-12.toml");
/// What is not measured.
const ASSUMED: [&str; 2] = [
    "Costs grow in proportion with listeners and with processors, as they did on one and two.",
    "The memory of a listener in the kernel, a claim, the beginning of the program, and whole segments by \
     TLS are estimates on the safe side of what was measured.",
];
/// The share of an audience that comes within the busiest minute, unless it is said: three in ten.
const IN_A_MINUTE: f64 = 0.3;

/// Says what an evening will take: nodes, network, which step of the ladder, what it costs, and what runs
/// out first.
///
/// Costs are those that were measured for this version on one machine; a scenario may name others. Exit 0
/// when it can be done, 1 when the nodes that there are cannot carry it, 2 when the question cannot be
/// read.
#[derive(clap::Args)]
#[command(after_help = "Examples:
  tribune plan --audience 100000
  tribune plan --audience 1300000 --nodes 3 --cores 16 --egress-mbit 25000
  tribune plan --audience 50000 --hours 2 --node-hour 0.80 --gigabyte 0.01 --json

What a node of yours carries is measured by `tribune capacity`.")]
pub struct Args {
    /// People who hear at once.
    #[arg(long, default_value_t = 100_000, value_name = "N", value_parser = audience())]
    audience: u64,
    /// There are so many nodes: which step of the ladder does it take?
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=10_000))]
    nodes: Option<u16>,
    /// Processors of a node.
    #[arg(long, value_name = "N")]
    cores: Option<f64>,
    /// Memory of a node, in GB.
    #[arg(long, value_name = "GB")]
    memory_gb: Option<f64>,
    /// What the network of a node carries, in Mbit/s.
    #[arg(long, value_name = "MBIT")]
    egress_mbit: Option<f64>,
    /// Descriptors of a node.
    #[arg(long, value_name = "N")]
    descriptors: Option<f64>,
    /// How long people hear, in hours.
    #[arg(long, default_value_t = 2.0, value_name = "H")]
    hours: f64,
    /// People who come within the busiest minute; three of ten without it.
    #[arg(long, value_name = "N")]
    in_a_minute: Option<u64>,
    /// What a node costs an hour, in any money.
    #[arg(long, value_name = "PRICE")]
    node_hour: Option<f64>,
    /// What a gigabyte sent costs.
    #[arg(long, value_name = "PRICE")]
    gigabyte: Option<f64>,
    /// Take the size of a node and the costs from a scenario.
    #[arg(long, value_name = "FILE")]
    scenario: Option<PathBuf>,
    /// One JSON document on standard output.
    #[arg(long)]
    json: bool,
}

fn audience() -> clap::builder::RangedU64ValueParser {
    clap::value_parser!(u64).range(1..=1_000_000_000)
}

pub fn run(args: &Args) -> ExitCode {
    exit(tell(args))
}

fn tell(args: &Args) -> anyhow::Result<bool> {
    let scenario = scenario(args)?;
    let prices = [args.node_hour, args.gigabyte, Some(args.hours)];
    let is_amount = |price: &f64| price.is_finite() && *price >= 0.0;
    ensure!(prices.iter().flatten().all(is_amount), "Hours and prices are numbers from 0 on.");
    let asked = Asked {
        audience: args.audience,
        nodes: &scenario.nodes,
        is_given: args.nodes.is_some(),
        measured: &scenario.measured,
        hours: args.hours,
        in_a_minute: args.in_a_minute.unwrap_or((args.audience as f64 * IN_A_MINUTE) as u64),
    };
    let plan = plan(&asked);
    ensure!(!plan.ways.is_empty(), "Such a node carries nobody: a few hundred descriptors are its own.");
    let document = document(args, &scenario, &plan);
    let text = if args.json { document.to_string() } else { told(args, &scenario, &plan) };
    writeln!(io::stdout(), "{text}").context("The plan cannot be written to standard output.")?;
    Ok(plan.chosen.is_some())
}

fn scenario(args: &Args) -> anyhow::Result<Scenario> {
    let mut scenario = match &args.scenario {
        Some(path) => read(path)?,
        None => Scenario::parse(MEASURED).map_err(|wrong| anyhow!("the measured costs: {wrong}."))?,
    };
    let nodes = &mut scenario.nodes;
    nodes.count = args.nodes.unwrap_or(1);
    nodes.cores = args.cores.unwrap_or(nodes.cores);
    nodes.memory_gb = args.memory_gb.unwrap_or(nodes.memory_gb);
    nodes.egress_mbit = args.egress_mbit.unwrap_or(nodes.egress_mbit);
    nodes.descriptors = args.descriptors.unwrap_or(nodes.descriptors);
    // Faults of the scenario may name nodes that a plan does not have.
    scenario.faults.clear();
    scenario.check_again().map_err(|wrong| anyhow!("{wrong}."))?;
    Ok(scenario)
}

/// What everything costs in the money of the prices, if any was said.
fn price(args: &Args, way: &Way) -> Option<f64> {
    let nodes = args.nodes.map_or(way.nodes, u64::from) as f64;
    let of_nodes = args.node_hour.map(|price| price * nodes * args.hours);
    let of_bytes = args.gigabyte.map(|price| price * way.gigabytes);
    (of_nodes.is_some() || of_bytes.is_some()).then(|| of_nodes.unwrap_or(0.0) + of_bytes.unwrap_or(0.0))
}

fn document(args: &Args, scenario: &Scenario, plan: &Plan) -> Value {
    let chosen = &plan.ways[plan.chosen.unwrap_or(plan.ways.len() - 1)];
    let way = |way: &Way| {
        json!({
            "step": way.step, "how": way.says, "nodes": way.nodes, "nodes_range": way.nodes_range,
            "seats_per_node": way.seats, "gbit_s": way.gbit_s, "gigabytes": way.gigabytes,
            "first_limit": way.first_limit.code(), "why": way.why, "price": price(args, way),
        })
    };
    json!({
        "audience": args.audience,
        "enough": plan.chosen.is_some(),
        "nodes": args.nodes.map_or(chosen.nodes, u64::from),
        "node": {"cores": scenario.nodes.cores, "memory_gb": scenario.nodes.memory_gb,
            "egress_mbit": scenario.nodes.egress_mbit, "descriptors": scenario.nodes.descriptors},
        "gbit_s": chosen.gbit_s,
        "ladder": {"step": chosen.step, "how": chosen.says},
        "first_limit": chosen.first_limit.code(),
        "why": chosen.why,
        "uncertainty": {"nodes": chosen.nodes_range, "cap_to_broken": CAP_TO_BROKEN},
        "door_load": plan.door_load,
        "hours": args.hours,
        "price": price(args, chosen),
        "steps": plan.ways.iter().map(way).collect::<Vec<_>>(),
        "measured_from": scenario.measured.from,
        "assumed": ASSUMED,
    })
}

fn told(args: &Args, scenario: &Scenario, plan: &Plan) -> String {
    let nodes = &scenario.nodes;
    let mut lines = vec![format!(
        "{} people at once, on nodes of {} processors, {} GB, {} Mbit/s and {} descriptors",
        grouped(args.audience),
        nodes.cores,
        nodes.memory_gb,
        nodes.egress_mbit,
        nodes.descriptors
    )];
    lines.push(String::new());
    for way in &plan.ways {
        let [fewest, most] = way.nodes_range;
        let money = price(args, way).map_or(String::new(), |price| format!(", for {price:.2}"));
        lines.push(format!(
            "{:<37} {:>4} nodes ({fewest} to {most}), {:.1} Gbit/s, {:.0} GB in {} h{money}",
            way.says, way.nodes, way.gbit_s, way.gigabytes, args.hours
        ));
        lines.push(format!("{:<37} {} people each. {}", "", grouped(way.seats), way.why));
    }
    lines.push(String::new());
    lines.push(match (plan.chosen, args.nodes) {
        (Some(at), Some(nodes)) => format!("{nodes} nodes carry them {}.", plan.ways[at].says),
        (None, Some(nodes)) => {
            format!("{nodes} nodes do not carry them; the others wait in line, or hear it later.")
        }
        (_, None) => {
            "The first line is what to plan with; the others are what the ladder makes of fewer nodes."
                .to_owned()
        }
    });
    lines.push(match plan.door_load {
        load if load > 0.5 => format!(
            "At the door: in the busiest minute it would take {:.0} % of all processors; some wait.",
            load * 100.0
        ),
        load => format!("At the door: {:.0} % of all processors in the busiest minute.", load * 100.0),
    });
    lines.push(format!("Measured: {}. {}", scenario.measured.from, ASSUMED.join(" ")));
    lines.join("\n")
}
