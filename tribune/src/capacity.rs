//! `tribune capacity`: how many listeners does this machine carry?

use std::io::Write;
use std::process::ExitCode;

use serde_json::json;
use tribune_core::door::capacity::{TIERS, Tier, cap_at};
use tribune_server::capacity::{Channel, Descriptors, measure, table};

/// Measures what one listener costs here, and says how many that allows.
///
/// It takes about four seconds, by TLS seven, three thousand connections on loopback, and the whole machine
/// meanwhile: while somebody is live here, `nice -n 19 tribune capacity` leaves them in peace. A node holds
/// the same test at its first start. Exit 0, or 2 when nothing could be measured.
#[derive(clap::Args)]
#[command(after_help = "Examples:\n  tribune capacity --egress-mbit 1000\n  tribune capacity --tls")]
pub struct Args {
    /// What the network carries from here, in Mbit/s [default: what its interface says of itself]
    #[arg(long, value_name = "N")]
    egress_mbit: Option<u64>,
    /// Listeners come by TLS, as to a node with a certificate of its own
    #[arg(long)]
    tls: bool,
    /// One JSON document on standard output
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args) -> ExitCode {
    let by = if args.tls { Channel::Tls } else { Channel::Clear };
    let (costs, measured) =
        match Descriptors::raise().map_err(Into::into).and_then(|has| measure(has, args.egress_mbit, by)) {
            Ok(measured) => measured,
            Err(error) => {
                // There is nobody left to tell when standard error is closed.
                let _ = writeln!(std::io::stderr(), "tribune capacity: nothing was measured: {error}");
                return ExitCode::from(2);
            }
        };
    let text = if args.json {
        let auto = cap_at(&measured, [0; TIERS], Tier::Full);
        let resources: Vec<_> = measured
            .iter()
            .map(|one| {
                let seats = cap_at(&[*one], [0; TIERS], Tier::Full).seats;
                json!({
                    "resource": one.resource.code(),
                    "capacity": one.capacity,
                    "idle": one.idle,
                    "each": one.each,
                    "late": one.late,
                    "seats": seats,
                })
            })
            .collect();
        let document = json!({"seats": auto.seats, "why": auto.why, "costs": costs, "resources": resources});
        format!("{document:#}\n")
    } else {
        table(&costs, &measured)
    };
    match std::io::stdout().write_all(text.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::from(2),
    }
}
