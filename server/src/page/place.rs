//! What the page says of a visitor's place in line where no script does: every value that `line.html` names.
//!
//! With a script, `web/door/standing.ts` says the same and goes on by itself.

use serde_json::{Map, Value};

use super::Words;
use super::facts::{clock, coarse, draw_at, moment, number, offset};

/// From so long a wait on it is said what happens if the conversation ends before, in seconds.
const LONG_S: i64 = 600;
/// Ranges up to this are told in seconds, and in minutes.
const IN_SECONDS_S_MAX: u64 = 90;
const IN_MINUTES_S_MAX: u64 = 5_400;
/// Who has a seat and no sound yet may claim it again; their page is not asked for again by itself.
const NEVER: Value = Value::Null;

/// A visitor whose cookie holds a ticket.
#[derive(Clone, Debug, PartialEq)]
pub struct Ticketed {
    /// Where it stands, as `/{room}/place` says it.
    pub place: Value,
    /// Ask again after this, in seconds.
    pub again_s: u64,
    /// The cookie holds a pass too, and it has a seat.
    pub is_seated: bool,
}

impl Ticketed {
    pub(super) fn values(&self, status: &Value, words: &Words) -> Map<String, Value> {
        let place = &self.place;
        let is = |name: &str| place[name] == true;
        let mut values = Map::new();
        if self.is_seated {
            put(&mut values, "w_seated", true);
            put(&mut values, "crowded", false);
            put(&mut values, "refresh", NEVER);
            return values;
        }
        put(&mut values, "w_on", true);
        put(&mut values, "refresh", self.again_s);
        put(&mut values, "w_turn", is("called"));
        put(&mut values, "w_settling", is("settling"));
        put(&mut values, "w_waits", !is("called") && !is("settling"));
        if place["drawn"] == false {
            in_draw(&mut values, status, words);
        } else if place["called"] == false {
            in_line(&mut values, (place, status), words);
        }
        values
    }
}

fn in_draw(values: &mut Map<String, Value>, status: &Value, words: &Words) {
    let count = |path: &str| status.pointer(path).and_then(Value::as_u64);
    let (tickets, cap) = (count("/tickets").unwrap_or(0), count("/seats/cap"));
    let taken = count("/seats/taken").unwrap_or(0);
    let at = draw_at(status);
    put(values, "w_draw", true);
    put(values, "w_drawing", at.is_none() || at <= moment(&status["now"]));
    put(values, "w_draw_at", at.map(|at| clock(at, offset(status["zone"].as_str()))));
    put(values, "l_tickets", number(tickets.max(1), words));
    put(values, "w_cap", cap.map(|cap| number(cap, words)));
    put(values, "w_room", cap.is_some_and(|cap| tickets + taken <= cap));
}

fn in_line(values: &mut Map<String, Value>, (place, status): (&Value, &Value), words: &Words) {
    let count = |name: &str| place[name].as_u64().unwrap_or(0);
    let (ahead, raw, rank) = (count("ahead"), count("tickets_ahead"), count("rank"));
    let eta = place["eta_s"].as_array().and_then(|eta| Some((eta.first()?.as_u64()?, eta.get(1)?.as_u64()?)));
    let low_s = eta.map_or(0, |(low_s, _)| i64::try_from(low_s).unwrap_or(i64::MAX));
    let hit = status.pointer("/rate/eta_hit_rate").and_then(Value::as_f64);
    let drawn = status.pointer("/draw/count").and_then(Value::as_u64).filter(|drawn| rank < *drawn);
    put(values, "w_line", true);
    put(values, "w_later", status["late"]["state"] == "open");
    put(values, "l_people", number(ahead, words));
    put(values, "w_next", raw == 0);
    put(values, "w_range", eta.is_some());
    put(values, "l_range", eta.map(range));
    put(values, "w_hit", hit.map(|hit| (hit * 100.0).round().to_string()));
    put(values, "w_raw", raw != ahead);
    put(values, "l_raw", number(raw, words));
    put(values, "w_low", (low_s >= LONG_S).then(|| coarse(low_s, words)));
    put(values, "w_rank", number(rank, words));
    put(values, "w_drawn", drawn.map(|drawn| number(drawn, words)));
}

fn put(values: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    values.insert(name.to_owned(), value.into());
}

/// `20–60 s`, `6–11 min`, `2–4 h`: outwards, so that the range stays as true as it was.
fn range((low_s, high_s): (u64, u64)) -> String {
    let (unit_s, unit) = match high_s {
        0..=IN_SECONDS_S_MAX => (1, "s"),
        s if s <= IN_MINUTES_S_MAX => (60, "min"),
        _ => (3_600, "h"),
    };
    let (low, high) = (low_s / unit_s, high_s.div_ceil(unit_s).max(1));
    if low == high { format!("{high} {unit}") } else { format!("{low}–{high} {unit}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_written_outwards() {
        for (given, expected) in [
            ((0, 0), "0–1 s"),
            ((20, 60), "20–60 s"),
            ((65, 91), "1–2 min"),
            ((390, 610), "6–11 min"),
            ((3_600, 5_400), "60–90 min"),
            ((7_000, 14_000), "1–4 h"),
            ((7_200, 7_200), "2 h"),
        ] {
            assert_eq!(range(given), expected, "{given:?}");
        }
    }
}
