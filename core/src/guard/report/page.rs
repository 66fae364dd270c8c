//! A report for people: one HTML file that needs nothing beside it. The same evening gives the same bytes.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::evening::{Evening, Event, KeySaid, Peak, range};
use super::line::{FEW, RoomSaid, coarse};
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
/// Seats are drawn where there were at most so many times as many as people.
const SEATS_NEAR: f64 = 4.0;
/// Steps that are drawn, at most.
const STEPS_MAX: i64 = 800;
/// How long a step may be, in milliseconds.
const STEPS_MS: [i64; 11] =
    [1_000, 2_000, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000];

/// Keys of the audit that are written on the page; the others are in `report.json`.
const KEYS_MAX: usize = 3;

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
    (
        "People",
        "Sources that behave as people do. Several behind one address are counted by what they take. Fewer \
         than ten are not told apart; in the ledger nine stands for one to nine.",
    ),
];

/// The report of an evening, as this version of the program writes it.
pub(super) fn of(evening: &Evening, version: &str) -> String {
    let (from, to) = evening.span_ms();
    let axis = Axis::new(from.saturating_sub(1_000), to);
    let headline = escaped(&grouped_in(&set(&sentences::headline(evening))));
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
    let beside = [when(listening), of_measured(evening)].concat();
    pair("Most listening", &few(listening.value), &beside);
    pair("Most waiting", &few(waiting.value), &when(waiting));
    let (turned_away, tickets) = evening.turned_away_and_tickets();
    pair("Turned away", &grouped(turned_away), "requests, for want of a seat; who asks again counts again");
    pair("Tickets", &few(tickets), "for places in the line");
    if let Some((at, room)) = evening.before_peak() {
        let measured = room.measured.map_or("not measured".to_owned(), |seats| {
            format!("{} were measured to be possible", grouped(seats))
        });
        pair("Seats before the peak", &grouped(room.cap), &format!("at {} UTC; {measured}", clock(at)));
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

/// The peak against what was measured before it; nothing where nothing was, or for too few people.
fn of_measured(evening: &Evening) -> String {
    let listening = evening.listening().value;
    let measured = evening.before_peak().and_then(|(_, room)| room.measured).filter(|seats| *seats > 0);
    match measured {
        Some(seats) if listening >= FEW => {
            let percent = (100 * listening).div_ceil(seats);
            format!("; {}{PERCENT} of the seats that were measured to be possible before", grouped(percent))
        }
        Some(_) | None => String::new(),
    }
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
            "Every plot shows the same time, in UTC. A step is {}: the room’s figures are the largest in it, \
             the verdict the gravest, the others its mean.",
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
    let away = turned_away(steps);
    let largest = area.iter().map(|(.., value)| *value).chain(away.iter().map(|(_, value)| *value));
    let mut plot = Plot::new(axis, Scale::up_to(largest.fold(0.0, f64::max)), (HEIGHT_LOW, " a second"));
    plot.area("s-people", &area);
    plot.line("l-most", &away);
    let key = [("s-people", "connections to the whole node"), ("l-most", "requests turned away")];
    let says = "A second: connections accepted, and requests to hear the room turned away for want of \
                a seat.";
    figure(("Arrivals", says), &key, &plot.write("p-arrivals", ("Arrivals", says)))
}

/// Requests that were turned away, a second, in each step with the room.
fn turned_away(steps: &[Step<'_>]) -> Vec<(Span, f64)> {
    let mut before = None;
    let mut away = Vec::new();
    for step in steps {
        let mut rooms = step.seconds.iter().filter_map(|second| second.room);
        let Some(first) = rooms.next() else { continue };
        let last = rooms.next_back().unwrap_or(first).turned_away;
        let since = before.replace(last).unwrap_or(first.turned_away);
        away.push((step.span, last.saturating_sub(since) as f64 / step.seconds.len() as f64));
    }
    away
}

fn room(steps: &[Step<'_>], axis: &Axis) -> String {
    let most = |step: &Step<'_>, of: fn(&RoomSaid) -> u64| {
        step.most(|second| second.room.as_ref().map_or(0, of)) as f64
    };
    let with: Vec<_> =
        steps.iter().filter(|step| step.seconds.iter().any(|second| second.room.is_some())).collect();
    let line = |of: fn(&RoomSaid) -> u64| -> Vec<(Span, f64)> {
        with.iter().map(|step| (step.span, most(step, of))).collect()
    };
    let listening = line(|room| coarse(room.listening));
    let waiting = line(|room| coarse(room.waiting));
    let measured = line(|room| room.measured.unwrap_or(0));
    let largest = |line: &[(Span, f64)]| line.iter().map(|(_, value)| *value).fold(0.0, f64::max);
    let people = largest(&listening).max(largest(&waiting));
    let cap = line(|room| room.cap);
    let measured = if cap == measured { Vec::new() } else { measured };
    let mut seats =
        vec![("l-usual", "seats", cap), ("l-least", "seats that were measured to be possible", measured)];
    let has_seats = largest(&seats[0].2) > 0.0;
    // Seats far above everybody would press them to the ground: they are drawn where they were near.
    seats.retain(|(.., line)| largest(line) > 0.0 && largest(line) <= SEATS_NEAR * people);
    let most = seats.iter().map(|(.., line)| largest(line)).fold(people, f64::max);
    let mut plot = Plot::new(axis, Scale::up_to(most), (HEIGHT, ""));
    let area: Vec<_> = listening.iter().map(|(span, value)| (*span, 0.0, *value)).collect();
    plot.area("s-people", &area);
    plot.line("l-low", &waiting);
    seats.iter().for_each(|(class, _, line)| plot.line(class, line));
    let mut key = vec![("s-people", "listening"), ("l-low", "waiting in line")];
    key.extend(seats.iter().map(|(class, says, _)| (*class, *says)));
    let mut says = "Who listened and who waited.".to_owned();
    if has_seats && !key.contains(&("l-usual", "seats")) {
        says.push_str(" There were more than four times as many seats, so they are not drawn.");
    }
    let is_few = |(_, value): &(Span, f64)| *value == (FEW - 1) as f64;
    if listening.iter().chain(&waiting).any(is_few) {
        says.push_str(" Fewer than ten people are drawn as nine.");
    }
    figure(("The room", &says), &key, &plot.write("p-room", ("The room", &says)))
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
    let row = |says: String, of: &dyn Fn(Unit) -> u64| {
        let cells = Unit::ALL.map(|unit| match of(unit) {
            0 => "<span class=\"none\">0</span>".to_owned(),
            number => grouped(number),
        });
        [vec![says], cells.to_vec()].concat()
    };
    let of = |account: Account| row(account.word().replace('_', " "), &move |unit| totals.get(unit, account));
    let mut rows: Vec<_> = Account::ALL.into_iter().map(of).collect();
    rows.push(row("all".to_owned(), &|unit| totals.total(unit)));
    let columns = ["Account", "Connections", "Handshakes", "Requests", "Connection-seconds"];
    let caption = "Everything that the whole node was asked for, each in exactly one account.";
    table(caption, &columns, &rows, "ledger")
}

fn words() -> String {
    let pairs = WORDS.map(|(word, says)| format!("<dt>{word}</dt><dd>{says}</dd>"));
    format!("<dl class=\"words\">{}</dl>", pairs.concat())
}

/// As it is set in type.
fn set(sentence: &str) -> String {
    sentence.replace('\'', "’")
}

fn list(sentences: &[&str]) -> String {
    let items: String = sentences.iter().map(|says| format!("<li>{}</li>", escaped(&set(says)))).collect();
    format!("<ul>{}</ul>", items.replace(" %", PERCENT))
}

/// What is told of the audit's keys, and the keys; nothing where the ledger knows of none.
fn audit(keys: &[KeySaid]) -> (String, String) {
    if keys.is_empty() {
        return (String::new(), String::new());
    }
    let mut says = "<p>The two of a hundred who are always answered were drawn by a key whose SHA-256 every \
                    line names, as every status did; the key itself was told when its time was over, and \
                    <code>verify.py</code> checks that it is the same."
        .to_owned();
    let untold: u64 = keys.iter().filter(|said| said.key.is_none()).map(|said| said.seconds).sum();
    if untold > 0 {
        let _ = write!(
            says,
            " Of {} it had not been told when this was written: that comes when the room has closed, or the \
             node lost it.",
            count(untold, "second")
        );
    }
    let told: Vec<_> = keys.iter().filter_map(|said| said.key).collect();
    let mut list: Vec<_> = told
        .iter()
        .take(KEYS_MAX)
        .map(|key| format!("<code>{}</code>", URL_SAFE_NO_PAD.encode(key)))
        .collect();
    if told.len() > KEYS_MAX {
        list.push(format!("and {} more, in report.json", grouped((told.len() - KEYS_MAX) as u64)));
    }
    let list = if list.is_empty() {
        String::new()
    } else {
        format!("<dt>The audit’s key</dt><dd>{}</dd>", list.join("<br>"))
    };
    (says + "</p>", list)
}

fn how_to_check(evening: &Evening) -> String {
    let (of_audit, keys) = audit(&evening.keys());
    let prev = evening.prev.as_deref().unwrap_or("none: it is the node’s first");
    format!(
        "<p>The report is computed from the ledger alone: a line for each second in which anything happened, \
         each with the SHA-256 of the one before. Ask who runs the node for the folder that \
         <code>tribune report {room}</code> writes, and run what is in it; it needs nothing but Python 3:</p>\
         <pre>python3 verify.py\npython3 verify.py --head HASH</pre>\
         <p>HASH is <code>guard.ledger.head</code> of a status of the room that somebody kept from the \
         evening: what came before it could not be changed afterwards.</p>{of_audit}\
         <dl class=\"words\"><dt>Lines</dt><dd>{lines}</dd><dt>SHA-256 of ledger.jsonl</dt><dd><code>{sha}\
         </code></dd><dt>The first line follows</dt><dd><code>{prev}</code></dd><dt>The last line is</dt>\
         <dd><code>{head}</code></dd>{keys}</dl>",
        room = escaped(evening.room()),
        lines = grouped((evening.seconds.len() + evening.after.iter().len()) as u64),
        sha = evening.sha256(),
        prev = escaped(prev),
        head = evening.head,
    )
}
