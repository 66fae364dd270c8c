//! What was found, for people: one HTML file that needs nothing beside it, with plots drawn here.
//!
//! It is read by who decides whether to believe it and by who checks it, so every figure has its meaning on
//! the same page, and every plot its figures in a table. A page has no script, no font and no address of
//! anything else; whatever a stranger wrote is text in it. The same findings give the same bytes.

/// Where a moment and a value lie in a plot.
pub mod axis;
mod figures;
pub(in crate::guard) mod headline;
/// The page around what it says.
pub mod html;
mod notes;
/// Plots as SVG.
pub mod plot;
/// Numbers and strangers' texts.
pub mod words;

use std::fmt::Write;

use self::axis::{Axis, clock, day};
use self::html::{section, table};
use self::words::{PERCENT, at_least, at_most, count, escaped, grouped, grouped_in, lasted};
use super::inspect::{Blamed, Findings, Stretch};
use super::share::Range;
use super::visit::WINDOW_MS;
use super::{Kind, Verdict};
use crate::time::WallTime;

/// Sources that are named on a page for one reason.
const NAMED_MAX: usize = 50;

/// What was read, and by whom.
#[derive(Clone, Copy, Debug)]
pub struct Read<'a> {
    /// The log's name; `None` when it came through a pipe.
    pub name: Option<&'a str>,
    /// Bytes of it that were read, packed or not, and their SHA-256.
    pub bytes: u64,
    /// Of these bytes.
    pub sha256: [u8; 32],
    /// Why it was not read to its end, if it was not.
    pub cut_off: Option<&'a str>,
    /// The program's version.
    pub version: &'a str,
}

/// What an inspection says, as one HTML file.
pub fn inspection(findings: &Findings, read: &Read<'_>) -> String {
    let headline = headline::of(findings);
    let axis = axis_of(findings);
    let mut body = format!(
        "<header><b>tribune inspect</b><span>Crowd or attack?</span><span \
         class=\"who\"><bdi>{}</bdi></span></header><main><h1>{headline}</h1><p class=\"lead\">{}</p>",
        escaped(read.name.unwrap_or("standard input")),
        covered(findings),
    );
    body.push_str(&verdict(findings));
    body.push_str(&section("why", "Why", &why(findings)));
    body.push_str(&section("course", "How it went", &figures::all(findings, &axis)));
    body.push_str(&section("events", "What happened, in order", &events(findings, &axis)));
    body.push_str(&section("shed", "Who would be shed", &shed(findings)));
    body.push_str(&section("accounts", "What explains the requests", &notes::accounts(findings)));
    body.push_str(&section("skipped", "What was not counted", &skipped(findings, read)));
    body.push_str(&section("change", "What would change the verdict", &notes::would_change(findings)));
    body.push_str(&section("unknown", "What cannot be known", &notes::cannot_know(findings)));
    body.push_str(&section("words", "What the words mean", &notes::meanings()));
    body.push_str(&section("check", "How to check it", &notes::check(read)));
    let _ = write!(
        body,
        "</main><footer>Written by tribune {}. It needs no network.</footer>",
        escaped(read.version)
    );
    html::page(&headline, &body)
}

fn axis_of(findings: &Findings) -> Axis {
    let steps = &findings.course.steps;
    let ends = steps.first().zip(steps.last()).map(|(first, last)| (first.from_ms, last.to_ms));
    let (from_ms, to_ms) = ends.unwrap_or((findings.from_ms, findings.to_ms));
    Axis::new(from_ms, to_ms)
}

/// What there was to judge.
fn covered(findings: &Findings) -> String {
    let (from, to) = (findings.from_ms, findings.to_ms);
    let when = if day(from) == day(to) {
        format!("from {} to {} UTC on {}", clock(from), clock(to), day(from))
    } else {
        format!("from {}, {} to {}, {} UTC", day(from), clock(from), day(to), clock(to))
    };
    format!(
        "{} from {} in {}, {when}.",
        count(findings.requests, "request"),
        count(findings.sources, "source"),
        lasted(to - from),
    )
}

/// A verdict's kind in words.
pub(in crate::guard) const fn named(kind: Kind) -> &'static str {
    match kind {
        Kind::Calm => "Calm",
        Kind::Crowd => "Crowd",
        Kind::Attack => "Attack",
        Kind::Both => "Crowd and attack",
        Kind::Unknown => "Unknown",
    }
}

fn verdict(findings: &Findings) -> String {
    let Verdict { kind, self_inflicted, confidence, attack_share, since, .. } = &findings.verdict;
    let class = headline::class(*kind);
    let fault = if *self_inflicted { "<span class=\"soft\">and partly our own fault</span>" } else { "" };
    let since = WallTime::parse(since).map_or(findings.from_ms, |since| since.0);
    let mut pairs = String::new();
    let mut pair = |name: &str, value: &str, beside: &str| {
        let _ = write!(
            pairs,
            "<div><dt>{name}</dt><dd><b>{value}</b> <span class=\"soft\">{beside}</span></dd></div>"
        );
    };
    let sign = format!("<i class=\"sign {class}\"></i>{}", named(*kind));
    pair("Verdict", &sign, fault);
    pair("Confidence", &format!("{:.0}{PERCENT}", 100.0 * confidence), "of such verdicts should be right");
    pair("Since", &clock(since), &format!("UTC, {}", day(since)));
    pair("Attack’s share of requests", &range(attack_share.requests), "in that time");
    let newcomers = range_or_unknown(attack_share.newcomers);
    pair("Of newcomers", &newcomers, "who came in that time");
    let time = range_or_unknown(attack_share.connection_seconds);
    let unsaid = attack_share.connection_seconds == Range::ALL;
    let beside = if unsaid { "not in the log, or next to nothing" } else { "" };
    pair("Of the time of answering", &time, beside);
    pair(
        "Would be shed",
        &grouped(findings.red.len() as u64),
        &format!("of {}", count(findings.sources, "source")),
    );
    pair("Sources that cannot be told", &grouped(findings.yellow), "");
    format!("<dl class=\"panel figures\">{pairs}</dl>")
}

pub(in crate::guard) fn range(share: Range) -> String {
    format!("{} to {}{PERCENT}", at_least(share.low), at_most(share.high))
}

fn range_or_unknown(share: Range) -> String {
    if share == Range::ALL { "Cannot be told".to_owned() } else { range(share) }
}

fn why(findings: &Findings) -> String {
    let because = &findings.verdict.because;
    let reasons: String =
        because.iter().map(|says| format!("<li>{}</li>", escaped(&grouped_in(says)))).collect();
    let ours = match (&findings.course.ours, findings.verdict.self_inflicted) {
        (Some(ours), true) => format!(
            "<p class=\"note\"><b>Our own fault</b> means the server’s whose log this is: in {} of {} of \
             five seconds too many of its answers to people were errors, or too much was asked again by \
             who got them. It takes nothing away from the rest of the verdict.</p>",
            grouped(ours.windows),
            count(findings.course.windows, "window"),
        ),
        _ => String::new(),
    };
    format!("<p class=\"soft\">The heaviest reason first.</p><ol class=\"reasons\">{reasons}</ol>{ours}")
}

/// Something that happened; what begins comes before what ends in the same moment.
type Event = (i64, u8, String);

fn events(findings: &Findings, axis: &Axis) -> String {
    let course = &findings.course;
    let mut events: Vec<Event> = vec![
        (findings.from_ms, 0, "The log begins.".to_owned()),
        (findings.to_ms, 9, "The log ends.".to_owned()),
    ];
    for (stretch, what) in [
        (course.crowded, "a crowd"),
        (course.attacked, "an attack"),
        (course.untold, "unknown"),
        (course.ours, "our own fault"),
    ] {
        if let Some(stretch) = stretch {
            events.extend(begun_and_over(&stretch, what, findings));
        }
    }
    let window_s = WINDOW_MS as f64 / 1_000.0;
    if let Some(busiest) = course.busiest {
        let says = format!("Most requests: {} a second.", grouped((busiest.value / window_s).round() as u64));
        events.push((busiest.from_ms, 3, says));
    }
    if let Some(fullest) = course.fullest.filter(|fullest| fullest.value > 0.0) {
        let usual = fullest.usual.map(|usual| format!(", where {} {} usual", grouped(usual), is_are(usual)));
        let people = grouped(fullest.value as u64);
        events.push((fullest.from_ms, 4, format!("Most people: {people}{}.", usual.unwrap_or_default())));
    }
    if let Some(worst) = course.worst {
        let says = format!(
            "The attack takes most: at least {}{PERCENT} of the requests, of the newcomers or of the time \
             of answering.",
            at_least(worst.value)
        );
        events.push((worst.from_ms, 5, says));
    }
    // A window may begin before the first line, and end after the last.
    events.iter_mut().for_each(|event| event.0 = event.0.clamp(findings.from_ms, findings.to_ms));
    events.sort();
    let rows = events.iter().map(|(at, _, says)| vec![axis.says(*at), says.clone()]).collect::<Vec<_>>();
    table("Times are in UTC, each the beginning of its five seconds.", &["Time", "What"], &rows, "events")
}

const fn is_are(count: u64) -> &'static str {
    if count == 1 { "is" } else { "are" }
}

fn begun_and_over(stretch: &Stretch, what: &str, findings: &Findings) -> [Event; 2] {
    let windows = count(stretch.windows, "window");
    let pieces = match (stretch.windows, stretch.pieces) {
        (1, _) => "It is the only one".to_owned(),
        (_, 1) => format!("There were {windows}, one after another"),
        (_, pieces) => {
            format!("There were {windows}, in {} with others between them", count(pieces, "piece"))
        }
    };
    let over = if stretch.to_ms > findings.to_ms {
        format!("It is still {what} when the log ends. {pieces}.")
    } else {
        format!("The last window that is called {what} is over. {pieces}.")
    };
    [(stretch.from_ms, 1, format!("The first window that is called {what}.")), (stretch.to_ms, 7, over)]
}

fn shed(findings: &Findings) -> String {
    let red = &findings.red;
    let yellow = match findings.yellow {
        0 => String::new(),
        1 => " Of one more source it cannot be told; it would not be shed.".to_owned(),
        many => format!(" Of {} more sources it cannot be told; they would not be shed.", grouped(many)),
    };
    if red.is_empty() {
        let why = if findings.verdict.kind.is_attack() {
            "Nobody is named: of no single source is it certain enough that it is the attack’s."
        } else {
            "Nobody: only who took part in an attack is named."
        };
        return format!("<p>{why}{yellow}</p>");
    }
    let mut reasons: Vec<&str> = Vec::new();
    for red in red {
        if !reasons.contains(&red.because.as_str()) {
            reasons.push(&red.because);
        }
    }
    let total = count(red.len() as u64, "source");
    let mut text = format!(
        "<p>{total}, with their requests in windows in which somebody attacked. An IPv6 source is a \
         network of 64 bits.{yellow}</p><div class=\"reds\">"
    );
    reasons.into_iter().for_each(|because| text.push_str(&shed_for(because, red)));
    text.push_str("</div>");
    if red.len() > NAMED_MAX {
        text.push_str("<p><code>tribune inspect --json</code> names them all.</p>");
    }
    text
}

/// Those who would be shed for one reason.
fn shed_for(because: &str, red: &[Blamed]) -> String {
    let these: Vec<_> = red.iter().filter(|red| red.because == because).collect();
    let row = |red: &&Blamed| vec![format!("<bdi>{}</bdi>", escaped(&red.source)), grouped(red.requests)];
    let rows: Vec<_> = these.iter().take(NAMED_MAX).map(row).collect();
    let who = if these.len() == 1 { "One source" } else { "Sources" };
    let order = if these.len() == 1 { "" } else { " Most requests first." };
    let caption = format!("{who} that {}.{order}", escaped(because));
    let more = match these.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!("<p class=\"soft\">And {} more.</p>", grouped(more as u64)),
    };
    format!("<div>{}{more}</div>", table(&caption, &["Source", "Requests"], &rows, "sources"))
}

fn skipped(findings: &Findings, read: &Read<'_>) -> String {
    let mut text = match read.cut_off {
        Some(why) => format!(
            "<p class=\"note\">The log could not be read to its end ({}). What came before is counted.</p>",
            escaped(why)
        ),
        None => String::new(),
    };
    if findings.skipped.is_empty() {
        return text + "<p>Nothing: every line that is not empty was counted.</p>";
    }
    text.push_str("<ul>");
    for (why, lines) in &findings.skipped {
        let _ = write!(text, "<li>{}: {why}.</li>", count(*lines, "line"));
    }
    text + "</ul>"
}

#[cfg(test)]
pub(in crate::guard) mod tests;
