//! The measurements as a table for people.

use std::fmt::Write;

use tribune_core::door::capacity::{Measured, Resource, Tier, cap_at};

use super::{Channel, Costs};

/// A line for each resource: what one listener costs, what there is, how many that carries.
pub fn table(costs: &Costs, measured: &[Measured]) -> String {
    let by = match costs.by {
        Channel::Clear => "in the clear",
        Channel::Tls => "by TLS",
    };
    let mut text = format!("Measured with {} listeners on loopback, {by}.\n\n", costs.listeners);
    let mut line = |cells: [String; 7]| {
        let [resource, full, low, segments, late, most, seats] = cells;
        let _ =
            writeln!(text, "{resource:<18}{full:>12}{low:>14}{segments:>10}{late:>10}{most:>16}{seats:>10}");
    };
    line(["", "one listener", "low bit rate", "segments", "delayed", "there is", "seats"].map(str::to_owned));
    for one in measured {
        let (unit, per) = unit(one.resource);
        let each = one.each.map(|each| format!("{:.3}", each / per));
        let [full, low, segments] = each;
        let most = format!("{:.0} {unit}", one.capacity / per);
        let seats = cap_at(&[*one], [0; 3], Tier::Full).seats.to_string();
        let late = format!("{:.3}", one.late / per);
        line([one.resource.word().to_owned(), full, low, segments, late, most, seats]);
    }
    for missing in [Resource::Processor, Resource::Memory, Resource::Egress, Resource::Packets] {
        if !measured.iter().any(|one| one.resource == missing) {
            let _ = writeln!(text, "{:<18}not known what there is: it does not bind", missing.word());
        }
    }
    let auto = cap_at(measured, [0; 3], Tier::Full);
    let _ = writeln!(text, "\n{} seats. {}", auto.seats, auto.why);
    text
}

fn unit(resource: Resource) -> (&'static str, f64) {
    match resource {
        Resource::Processor => ("ms/s", 1.0),
        Resource::Memory => ("kB", 1e3),
        Resource::Egress => ("kbit/s", 125.0),
        Resource::Packets => ("/s", 1.0),
        Resource::Descriptors => ("", 1.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_resource_has_a_line_and_the_one_that_binds_is_named() {
        let costs = super::super::tests::some_costs();
        let processor = Measured {
            resource: Resource::Processor,
            capacity: 2_000.0,
            idle: 0.0,
            each: [0.02; 3],
            late: 0.01,
        };
        let text = table(&costs, &[processor]);
        for part in ["500 listeners", "0.020", "0.010", "2000 ms/s", "90000", "90000 seats. Processor: "] {
            assert!(text.contains(part), "{part} in\n{text}");
        }
        assert_eq!(text.matches("does not bind").count(), 3);
    }
}
