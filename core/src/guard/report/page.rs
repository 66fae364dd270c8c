//! A report for people: one HTML file that needs nothing beside it. The same evening gives the same bytes.

use std::fmt::Write;

use super::evening::{Evening, Event, Peak, range};
use super::sentences::{self, few};
use super::step::{Second, share_of};
use crate::guard::Kind;
use crate::guard::live::{Account, Unit};
use crate::guard::page::axis::{Axis, Scale, clock, day};
use crate::guard::page::html::{figure, page, section, table};
use crate::guard::page::plot::{Piece, Plot, Span, band};
use crate::guard::page::words::{PERCENT, count, escaped, grouped, grouped_in, lasted};
use crate::guard::page::{headline::class, named, range as in_percent};

/// Pixels from the lowest to the highest value.
const HEIGHT: f64 = 190.0;
const HEIGHT_LOW: f64 = 130.0;
/// Steps that are drawn, at most.
const STEPS_MAX: i64 = 800;
/// How long a step may be, in milliseconds.
const STEPS_MS: [i64; 11] =
    [1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000];

/// A layer's class, its name, and what is in it.
type Layer = (&'static str, &'static str, &'static [Account]);
/// From the bottom up.
const LAYERS: [Layer; 6] = [
    ("s-explained", "listeners", &[Account::Listener]),
    ("s-people", "newcomers", &[Account::Newcomer]),
    ("s-ours", "come again because of our own refusals or errors", &[Account::OurDoing]),
    ("s-unsure", "put off before anybody looked, or not told apart", &[Account::Shed, Account::Unseen]),
    ("s-unexplained", "explained by nothing", &[Account::Unexplained]),
    ("s-wrong", "break the rules", &[Account::Violation]),
];

const WORDS: [(&str, &str); 9] = [
    ("Listener", "It takes the sound, piece after piece, and asks for no more than who hears does."),
    ("Newcomer", "It has just come, waits in line or looks on."),
    ("Our doing", "It was refused by us, or got an error of ours, and comes again within 30 s."),
    ("Unexplained", "It asks for more than all of that explains."),
    ("Violation", "It breaks the rules of HTTP or of the door, or holds connections half open."),
    ("Shed", "It was put off or turned away before anybody looked; whose it was is not known."),
    ("Unseen", "It came through a proxy, or there was no room to remember it: it is not told apart."),
    (
        "Attack’s share",
        "From what is certainly an attack’s to what may be: a range that holds in 95 of 100 cases.",
    ),
    ("People", "Sources that behave as people do. Several behind one address are counted by what they take."),
];

/// The report of an evening, as this version of the program writes it.
pub(super) fn of(evening: &Evening, version: &str) -> String {
    let (from, to) = evening.span_ms();
    let axis = Axis::new(from.saturating_sub(1_000), to);
    let headline = escaped(&grouped_in(&sentences::headline(evening)));
    let mut body = format!(
        "<header><b>The report of an evening</b><span>Crowd or attack?</span><span \
         class=\"who\"><bdi>{}</bdi></span></header><main><h1>{headline}</h1><p class=\"lead\">{}</p>",
        escaped(evening.room()),
        covered(evening),
    );
    body.push_str(&figures(evening));
    body.push_str(&section("course", "How it went", &plots(evening, &axis)));
    body.push_str(&section("events", "What happened, in order", &events(evening, &axis)));
    body.push_str(&section("accounts", "What explains what was asked for", &accounts(evening)));
    body.push_str(&section(
        "change",
        "What would change the verdict",
        &list(&sentences::would_change(evening)),
    ));
    body.push_str(&section("unknown", "What cannot be known", &list(&sentences::unknown())));
    body.push_str(&section("words", "What the words mean", &words()));
    body.push_str(&section("check", "How to check it", &how_to_check(evening)));
    let _ =
        write!(body, "</main><footer>Written by tribune {}. It needs no network.</footer>", escaped(version));
    page(&headline, &body)
}

fn covered(evening: &Evening) -> String {
    let (from, to) = evening.span_ms();
    let when = if day(from) == day(to) {
        format!("from {} to {} UTC on {}", clock(from), clock(to), day(from))
    } else {
        format!("from {}, {} to {}, {} UTC", day(from), clock(from), day(to), clock(to))
    };
    let seconds = evening.seconds.len() as u64;
    format!("{} in which anything happened, {when}.", count(seconds, "second"))
}

/// The figures at the top.
fn figures(evening: &Evening) -> String {
    let mut pairs = String::new();
    let mut pair = |name: &str, value: &str, beside: &str| {
        let _ = write!(
            pairs,
            "<div><dt>{name}</dt><dd><b>{value}</b> <span class=\"soft\">{beside}</span></dd></div>"
        );
    };
    let when = |peak: Peak| peak.at_ms.map_or(String::new(), |at| format!("at {} UTC", clock(at)));
    let (people, listening, waiting) = (evening.people(), evening.listening(), evening.waiting());
    pair("Most people at once", &few(people.value), &when(people));
    pair("Most listening", &few(listening.value), &when(listening));
    pair("Most waiting", &few(waiting.value), &when(waiting));
    let (turned_away, tickets) = evening.turned_away_and_tickets();
    pair("Turned away", &grouped(turned_away), "requests, for want of a seat; who asks again counts again");
    pair("Tickets", &few(tickets), "for places in the line");
    if let Some((at, room)) = evening.before_peak() {
        let measured = room.measured.map_or("not measured".to_owned(), |seats| {
            format!("{} were measured to be possible", grouped(seats))
        });
        pair("Seats before most listened", &grouped(room.cap), &format!("at {} UTC; {measured}", clock(at)));
    }
    pair("Attack’s share of the requests", &in_percent(evening.share_range()), "of the whole evening");
    let (became, came, steps) = evening.newcomers();
    let of = format!("of {} of whom it is known, in {}", few(came), count(steps, "step"));
    pair("Newcomers who began to hear", &few(became), &of);
    for (kind, seconds) in seconds_by_kind(evening) {
        let sign = format!("<i class=\"sign {}\"></i>{}", class(kind), grouped(seconds));
        pair(&format!("Seconds called {}", named(kind).to_lowercase()), &sign, "");
    }
    pair("Seconds of our own fault", &grouped(evening.own_fault()), "beside any of these");
    pair(
        "Done by itself",
        &grouped(evening.acts()),
        "refusals for a while, each of a source that broke the rules",
    );
    format!("<dl class=\"panel figures\">{pairs}</dl>")
}

fn seconds_by_kind(evening: &Evening) -> Vec<(Kind, u64)> {
    let kinds = [Kind::Calm, Kind::Crowd, Kind::Attack, Kind::Both, Kind::Unknown];
    let all = kinds.map(|kind| (kind, evening.of_kind(kind)));
    all.into_iter().filter(|(_, seconds)| *seconds > 0).collect()
}

/// Seconds that are drawn together.
struct Step<'a> {
    span: Span,
    seconds: Vec<&'a Second>,
}

impl Step<'_> {
    /// A mean over its seconds.
    fn mean(&self, of: impl Fn(&Second) -> u64) -> f64 {
        let sum: u64 = self.seconds.iter().map(|second| of(second)).sum();
        sum as f64 / self.seconds.len().max(1) as f64
    }

    fn most(&self, of: impl Fn(&Second) -> u64) -> u64 {
        self.seconds.iter().map(|second| of(second)).max().unwrap_or(0)
    }

    /// The gravest.
    fn kind(&self) -> Kind {
        let gravity = |kind: &Kind| match kind {
            Kind::Calm => 0,
            Kind::Crowd => 1,
            Kind::Unknown => 2,
            Kind::Attack => 3,
            Kind::Both => 4,
        };
        let kinds = self.seconds.iter().map(|second| second.kind);
        kinds.max_by_key(gravity).unwrap_or(Kind::Calm)
    }
}

fn steps_of(evening: &Evening) -> (Vec<Step<'_>>, i64) {
    let (from, to) = evening.span_ms();
    let span = to.saturating_sub(from);
    let fits = |long: &i64| span / long <= STEPS_MAX;
    let long = STEPS_MS.into_iter().find(fits).unwrap_or_else(|| span / STEPS_MAX + 1);
    let mut steps: Vec<Step<'_>> = Vec::new();
    for second in &evening.seconds {
        match steps.last_mut() {
            Some(step) if second.at_ms > step.span.0 && second.at_ms <= step.span.0.saturating_add(long) => {
                step.seconds.push(second);
                step.span.1 = step.span.1.max(second.at_ms);
            }
            before => {
                // Seconds that follow each other touch, though a clock is never quite on time.
                let begins = second.at_ms.saturating_sub(1_000);
                let end = before.map(|step| step.span.1).filter(|end| begins.abs_diff(*end) <= 500);
                steps.push(Step { span: (end.unwrap_or(begins), second.at_ms), seconds: vec![second] });
            }
        }
    }
    steps.retain(|step| step.span.0 < step.span.1);
    (steps, long)
}

fn plots(evening: &Evening, axis: &Axis) -> String {
    let (steps, long) = steps_of(evening);
    let says = if long > 1_000 {
        format!(
            "Every plot shows the same time, in UTC. A step is {}: areas are its mean, and the verdict is \
             the gravest in it.",
            lasted(long)
        )
    } else {
        "Every plot shows the same time, in UTC, second by second.".to_owned()
    };
    let drawn = [
        verdicts(&steps, axis),
        arrivals(&steps, axis),
        room(&steps, axis),
        requests(&steps, axis),
        shares(&steps, axis),
    ];
    format!("<p>{says}</p><div class=\"plots\">{}</div>", drawn.concat())
}

fn verdicts(steps: &[Step<'_>], axis: &Axis) -> String {
    let piece = |step: &Step<'_>| {
        let kind = step.kind();
        let height = match kind {
            Kind::Calm => 0.2,
            Kind::Crowd => 0.6,
            Kind::Unknown => 0.8,
            Kind::Attack | Kind::Both => 1.0,
        };
        let says = if kind == Kind::Calm { "" } else { named(kind) };
        Piece { span: step.span, class: class(kind), height, says }
    };
    let ours =
        |step: &Step<'_>| Piece { span: step.span, class: "k-ours", height: 1.0, says: "Our own fault" };
    let is_ours = |step: &&Step<'_>| step.seconds.iter().any(|second| second.is_own_fault);
    let mut lanes = vec![steps.iter().map(piece).collect::<Vec<_>>()];
    let lane: Vec<_> = steps.iter().filter(is_ours).map(ours).collect();
    let kinds = [Kind::Calm, Kind::Crowd, Kind::Unknown, Kind::Attack, Kind::Both];
    let is_there = |kind: &Kind| steps.iter().any(|step| step.kind() == *kind);
    let mut key: Vec<_> = kinds.into_iter().filter(is_there).map(|kind| (class(kind), named(kind))).collect();
    if !lane.is_empty() {
        key.push(("k-ours", "Our own fault"));
        lanes.push(lane);
    }
    let (title, says) = ("The verdict", "Each over the ten seconds before it.");
    figure((title, says), &key, &band(axis, "p-verdict", (title, says), &lanes))
}

fn arrivals(steps: &[Step<'_>], axis: &Axis) -> String {
    let of = |second: &Second| second.sums.total(Unit::Connections);
    let area: Vec<_> = steps.iter().map(|step| (step.span, 0.0, step.mean(of))).collect();
    let largest = area.iter().map(|(.., value)| *value).fold(0.0, f64::max);
    let mut plot = Plot::new(axis, Scale::up_to(largest), (HEIGHT_LOW, " a second"));
    plot.area("s-people", &area);
    let (title, says) = ("Arrivals", "Connections to the whole node that were accepted, a second.");
    figure((title, says), &[], &plot.write("p-arrivals", (title, says)))
}

fn room(steps: &[Step<'_>], axis: &Axis) -> String {
    let most = |step: &Step<'_>, of: fn(&super::RoomSaid) -> u64| {
        step.most(|second| second.room.as_ref().map_or(0, of)) as f64
    };
    let begin = steps.iter().flat_map(|step| &step.seconds).find_map(|second| second.room);
    let before = begin.map_or(0, |room| room.turned_away);
    let with: Vec<_> =
        steps.iter().filter(|step| step.seconds.iter().any(|second| second.room.is_some())).collect();
    let line = |of: fn(&super::RoomSaid) -> u64| -> Vec<(Span, f64)> {
        with.iter().map(|step| (step.span, most(step, of))).collect()
    };
    let listening = line(|room| room.listening);
    let waiting = line(|room| room.waiting);
    let cap = line(|room| room.cap);
    let away: Vec<_> = line(|room| room.turned_away)
        .into_iter()
        .map(|(span, all)| (span, (all - before as f64).max(0.0)))
        .collect();
    let largest = |line: &[(Span, f64)]| line.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let people = largest(&listening).max(largest(&waiting)).max(largest(&away));
    // A cap far above everybody would press them to the ground: it is drawn where it was near.
    let is_near = largest(&cap) <= 4.0 * people;
    let most = if is_near { people.max(largest(&cap)) } else { people };
    let mut plot = Plot::new(axis, Scale::up_to(most), (HEIGHT, ""));
    let area: Vec<_> = listening.iter().map(|(span, value)| (*span, 0.0, *value)).collect();
    plot.area("s-people", &area);
    plot.line("l-low", &waiting);
    plot.line("l-most", &away);
    let mut key = vec![
        ("s-people", "listening"),
        ("l-low", "waiting in line"),
        ("l-most", "requests turned away, so far"),
    ];
    if is_near {
        plot.line("l-usual", &cap);
        key.push(("l-usual", "seats"));
    }
    let says = if is_near {
        "Who listened, who waited and who was turned away."
    } else {
        "Who listened, who waited and who was turned away. There were more than four times as many seats, so \
         they are not drawn."
    };
    figure(("The room", says), &key, &plot.write("p-room", ("The room", says)))
}

fn requests(steps: &[Step<'_>], axis: &Axis) -> String {
    let spans: Vec<_> = steps.iter().map(|step| step.span).collect();
    let value = |step: &Step<'_>, accounts: &[Account]| {
        step.mean(|second| accounts.iter().map(|account| second.sums.get(Unit::Requests, *account)).sum())
    };
    let layers: Vec<(&str, Vec<f64>)> = LAYERS
        .iter()
        .map(|(class, _, accounts)| (*class, steps.iter().map(|step| value(step, accounts)).collect()))
        .collect();
    let largest = steps.iter().map(|step| step.mean(|second| second.sums.total(Unit::Requests)));
    let mut plot = Plot::new(axis, Scale::up_to(largest.fold(0.0, f64::max)), (HEIGHT, " a second"));
    plot.stack(&spans, &layers);
    let is_there = |(_, (_, values)): &(&Layer, &(&str, Vec<f64>))| values.iter().any(|value| *value > 0.0);
    let key: Vec<_> =
        LAYERS.iter().zip(&layers).filter(is_there).map(|((class, says, _), _)| (*class, *says)).collect();
    let key: Vec<_> = key.into_iter().rev().collect();
    let (title, says) = ("Requests", "A second, to the whole node, by what explains them.");
    figure((title, says), &key, &plot.write("p-requests", (title, says)))
}

fn shares(steps: &[Step<'_>], axis: &Axis) -> String {
    let told: Vec<_> = steps
        .iter()
        .filter_map(|step| Some((step.span, range(share_of(step.seconds.iter().copied())?))))
        .collect();
    let area: Vec<_> =
        told.iter().map(|(span, share)| (*span, 100.0 * share.low, 100.0 * share.high)).collect();
    let low: Vec<_> = told.iter().map(|(span, share)| (*span, 100.0 * share.low)).collect();
    let mut plot = Plot::new(axis, Scale::in_percent(), (HEIGHT_LOW, PERCENT));
    plot.area("s-range", &area);
    plot.line("l-low", &low);
    let key = [("s-range", "the range in which it lies"), ("l-low", "at least so much")];
    let (title, says) =
        ("The attack’s share of the requests", "Where nothing was asked for nothing is drawn.");
    figure((title, says), &key, &plot.write("p-share", (title, says)))
}

fn events(evening: &Evening, axis: &Axis) -> String {
    let (from, to) = evening.span_ms();
    let says = |event: &Event| match event.what {
        "surge" => "More people than usual, for the first time.",
        "our_error" => "The first error of ours, or the first who was put off.",
        "own_fault" => "The first second that is called our own fault.",
        "violation" => "The first that breaks the rules.",
        "unexplained" => "The first that nothing explains.",
        "cap_full" => "Every seat is taken, for the first time.",
        "crowd" => "The first second that is called a crowd.",
        _ => "The first second that is called an attack.",
    };
    let mut rows = vec![vec![axis.says(from), "The room is open.".to_owned()]];
    rows.extend(evening.events().iter().map(|event| vec![axis.says(event.at_ms), says(event).to_owned()]));
    rows.push(vec![axis.says(to), "The last second with the room.".to_owned()]);
    let caption = "Times are in UTC. The order tells a node that broke by itself from one that was broken.";
    table(caption, &["Time", "What"], &rows, "events")
}

fn accounts(evening: &Evening) -> String {
    let totals = evening.totals();
    let row = |account: Account| {
        let mut row = vec![account.word().replace('_', " "), String::new()];
        row.extend(Unit::ALL.map(|unit| grouped(totals.get(unit, account))));
        row
    };
    let mut rows: Vec<_> = Account::ALL.into_iter().map(row).collect();
    let mut all = vec!["all".to_owned(), String::new()];
    all.extend(Unit::ALL.map(|unit| grouped(totals.total(unit))));
    rows.push(all);
    let columns = ["Account", "", "Connections", "Handshakes", "Requests", "Connection-seconds"];
    table(
        "Everything that the whole node was asked for, each in exactly one account.",
        &columns,
        &rows,
        "accounts",
    )
}

fn words() -> String {
    let pairs = WORDS.map(|(word, says)| format!("<dt>{word}</dt><dd>{says}</dd>"));
    format!("<dl class=\"words\">{}</dl>", pairs.concat())
}

fn list(sentences: &[&str]) -> String {
    let items: String = sentences.iter().map(|says| format!("<li>{}</li>", escaped(says))).collect();
    format!("<ul>{}</ul>", items.replace(" %", PERCENT))
}

fn how_to_check(evening: &Evening) -> String {
    let prev = evening.prev.as_deref().unwrap_or("none: it is the node’s first");
    format!(
        "<p>The report is computed from the ledger alone: a line for each second in which anything happened, \
         each with the SHA-256 of the one before. Ask who runs the node for the folder that \
         <code>tribune report {room}</code> writes, and run what is in it; it needs nothing but Python 3:</p>\
         <pre>python3 verify.py\npython3 verify.py --head HASH</pre>\
         <p>HASH is <code>guard.ledger.head</code> of a status of the room that somebody kept from the \
         evening: what came before it could not be changed afterwards.</p>\
         <dl class=\"words\"><dt>Lines</dt><dd>{lines}</dd><dt>SHA-256 of ledger.jsonl</dt><dd><code>{sha}\
         </code></dd><dt>The first line follows</dt><dd><code>{prev}</code></dd><dt>The last line is</dt>\
         <dd><code>{head}</code></dd></dl>",
        room = escaped(evening.room()),
        lines = grouped(evening.seconds.len() as u64),
        sha = evening.sha256(),
        prev = escaped(prev),
        head = evening.head,
    )
}
