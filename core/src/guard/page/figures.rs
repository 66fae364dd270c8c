//! The plots of an inspection, all on one axis, and the same in figures.

use crate::guard::Kind;
use crate::guard::inspect::{Accounts, Course, Findings, Step};
use crate::guard::visit::WINDOW_MS;

use super::axis::{Axis, Scale};
use super::html::{figure, table};
use super::plot::{Piece, Plot, Span, band};
use super::words::{PERCENT, at_least, at_most, count, grouped, lasted};
use super::{headline, named, range};

/// Pixels from the lowest to the highest value.
const HEIGHT: f64 = 190.0;
const HEIGHT_LOW: f64 = 130.0;
/// Rows of the table beside the plots, at most.
const ROWS_MAX: usize = 60;
/// Seconds of a window.
const WINDOW_S: f64 = WINDOW_MS as f64 / 1_000.0;

/// A layer's class, its name, and what is in it.
type Layer = (&'static str, &'static str, fn(&Accounts) -> u64);
/// What each layer of the requests is called, from the bottom up, and what is in it.
const LAYERS: [Layer; 5] = [
    ("s-explained", "listeners and newcomers", |of| of.explained),
    ("s-ours", "come again because of our own refusals", |of| of.ours),
    ("s-unsure", "cannot be told", |of| of.unsure + of.idle + of.many),
    ("s-unexplained", "explained by nothing", |of| of.unexplained),
    ("s-wrong", "break the rules, or hold connections open", |of| of.wrong),
];

/// All of them.
pub fn all(findings: &Findings, axis: &Axis) -> String {
    let course = &findings.course;
    let mut text = format!("<p>{}</p>", drawn(course));
    text.push_str("<div class=\"plots\">");
    text.push_str(&verdicts(course, axis));
    text.push_str(&requests(course, axis));
    text.push_str(&people(course, axis));
    text.push_str(&shares(course, axis));
    text.push_str("</div>");
    text + &in_figures(course, axis)
}

/// How the log was put into steps, said once for all plots.
fn drawn(course: &Course) -> String {
    let step = lasted(course.windows_a_step as i64 * WINDOW_MS);
    let edges = "The first and the last are cut by the log, so less may be in them.";
    match course.windows_a_step {
        ..=1 => format!(
            "Every plot shows the same time, in UTC. A step is five seconds, what is judged at once. {edges}"
        ),
        windows => format!(
            "Every plot shows the same time, in UTC. What is judged at once is five seconds; that is too \
             fine to draw here, so a step is {step}: {} together. What is said of a step’s mean hides \
             shorter moments; the line of its most shows them. {edges}",
            count(windows, "window")
        ),
    }
}

const fn span(step: &Step) -> Span {
    (step.from_ms, step.to_ms)
}

/// Whether a step holds several windows, so that its mean and its most differ.
const fn is_many(course: &Course) -> bool {
    course.windows_a_step > 1
}

fn verdicts(course: &Course, axis: &Axis) -> String {
    let piece = |step: &Step| {
        let kind = step.kind?;
        let height = match kind {
            Kind::Calm => 0.2,
            Kind::Crowd => 0.6,
            Kind::Unknown => 0.8,
            Kind::Attack | Kind::Both => 1.0,
        };
        let says = if kind == Kind::Calm { "" } else { named(kind) };
        Some(Piece { span: span(step), class: headline::class(kind), height, says })
    };
    let ours = |step: &Step| {
        (step.ours > 0).then(|| Piece {
            span: span(step),
            class: "k-ours",
            height: 1.0,
            says: "Our own fault",
        })
    };
    let mut lanes = vec![course.steps.iter().filter_map(piece).collect::<Vec<_>>()];
    if course.ours.is_some() {
        lanes.push(course.steps.iter().filter_map(ours).collect());
    }
    let mut says = Vec::new();
    for (stretch, what) in [
        (course.attacked, "an attack"),
        (course.crowded, "a crowd"),
        (course.untold, "unknown"),
        (course.ours, "our own fault"),
    ] {
        if let Some(stretch) = stretch {
            let windows = headline::windows(stretch.windows, course.windows);
            says.push(format!("{windows} {} called {what}", if stretch.windows == 1 { "is" } else { "are" }));
        }
    }
    let mut says =
        if says.is_empty() { "Every window is called calm.".to_owned() } else { says.join("; ") + "." };
    if is_many(course) {
        says.push_str(" A step shows the gravest verdict in it.");
    }
    let is_there = |kind: Kind| course.steps.iter().any(|step| step.kind == Some(kind));
    let kinds = [Kind::Calm, Kind::Crowd, Kind::Unknown, Kind::Attack, Kind::Both];
    let mut key: Vec<_> = kinds
        .into_iter()
        .filter(|kind| is_there(*kind))
        .map(|kind| (headline::class(kind), named(kind)))
        .collect();
    if course.ours.is_some() {
        key.push(("k-ours", "Our own fault"));
    }
    let title = "The verdict, window by window";
    figure((title, &says), &key, &band(axis, "p-verdict", (title, &says), &lanes))
}

fn requests(course: &Course, axis: &Axis) -> String {
    let spans: Vec<_> = course.steps.iter().map(span).collect();
    let mean = |step: &Step, of: u64| of as f64 / step.seconds().max(WINDOW_S);
    let most = |step: &Step| step.requests_most as f64 / WINDOW_S;
    let layers: Vec<(&str, Vec<f64>)> = LAYERS
        .iter()
        .map(|(class, _, of)| {
            (*class, course.steps.iter().map(|step| mean(step, of(&step.accounts()))).collect())
        })
        .collect();
    let largest = course.steps.iter().map(most).fold(0.0, f64::max);
    let mut plot = Plot::new(axis, Scale::up_to(largest), (HEIGHT, " a second"));
    plot.stack(&spans, &layers);
    let mut key: Vec<_> = LAYERS
        .iter()
        .zip(&layers)
        .filter(|(_, (_, values))| values.iter().any(|value| *value > 0.0))
        .map(|((class, says, _), _)| (*class, *says))
        .collect();
    if is_many(course) {
        let line: Vec<_> = course.steps.iter().map(|step| (span(step), most(step))).collect();
        plot.line("l-most", &line);
        key.push(("l-most", "all of them in the busiest five seconds of a step"));
    }
    key.reverse();
    let mut says = "Requests a second, by what explains them.".to_owned();
    if let Some(busiest) = course.busiest {
        let rate = grouped((busiest.value / WINDOW_S).round() as u64);
        says.push_str(&format!(" Most: {rate} a second, at {} UTC.", axis.says(busiest.from_ms)));
    }
    let title = "Requests";
    figure((title, &says), &key, &plot.write("p-requests", (title, &says)))
}

fn people(course: &Course, axis: &Axis) -> String {
    let largest = course.steps.iter().map(|step| step.people_most.max(step.usual.unwrap_or(0))).max();
    let mut plot = Plot::new(axis, Scale::up_to(largest.unwrap_or(0) as f64), (HEIGHT_LOW, " people"));
    let area: Vec<_> = course.steps.iter().map(|step| (span(step), 0.0, step.people_mean())).collect();
    plot.area("s-people", &area);
    let mut key =
        vec![("s-people", if is_many(course) { "people, on average over a step" } else { "people" })];
    if is_many(course) {
        let most: Vec<_> = course.steps.iter().map(|step| (span(step), step.people_most as f64)).collect();
        plot.line("l-most", &most);
        key.push(("l-most", "in the five seconds of a step that had most"));
    }
    let usual: Vec<_> =
        course.steps.iter().filter_map(|step| Some((span(step), step.usual? as f64))).collect();
    if !usual.is_empty() {
        plot.line("l-usual", &usual);
        key.push(("l-usual", "what is usual, as far as was known by then"));
    }
    let mut says =
        "Sources that behave as people do, in any five seconds; who stays is in many of them.".to_owned();
    if let Some(fullest) = course.fullest {
        let most = headline::people(fullest.value as u64);
        says.push_str(&format!(" Most: {most}, at {} UTC.", axis.says(fullest.from_ms)));
    }
    let title = "People, and what is usual";
    figure((title, &says), &key, &plot.write("p-people", (title, &says)))
}

fn shares(course: &Course, axis: &Axis) -> String {
    let mut plot = Plot::new(axis, Scale::in_percent(), (HEIGHT_LOW, PERCENT));
    let told: Vec<_> = course.steps.iter().filter_map(|step| Some((span(step), step.share()?))).collect();
    let area: Vec<_> =
        told.iter().map(|(span, share)| (*span, 100.0 * share.low, 100.0 * share.high)).collect();
    plot.area("s-range", &area);
    let low: Vec<_> = told.iter().map(|(span, share)| (*span, 100.0 * share.low)).collect();
    plot.line("l-low", &low);
    let mut key = vec![("s-range", "the range in which it lies"), ("l-low", "at least so much, for certain")];
    if is_many(course) {
        let most: Vec<_> =
            course.steps.iter().filter_map(|step| Some((span(step), 100.0 * step.share_low_most?))).collect();
        plot.line("l-most", &most);
        key.push(("l-most", "the same in the five seconds of a step where it is most"));
    }
    let least = 100.0 * crate::guard::inspect::Counts::ATTACK_SHARE_MIN;
    plot.mark("l-least", least);
    let from = format!("{least:.0}{PERCENT}: what is more than this for certain may be called an attack");
    key.push(("l-least", &from));
    let widest = told.iter().max_by(|(_, one), (_, other)| one.low.total_cmp(&other.low));
    let mut says = "Of the requests, how much is the attack’s: from what is certainly so to what may be \
                    so. Where there were fewer than 20 requests nothing is drawn."
        .to_owned();
    if let Some((span, share)) = widest.filter(|(_, share)| share.low > 0.0) {
        let (low, high) = (at_least(share.low), at_most(share.high));
        says.push_str(&format!(
            " Most for certain: {low}{PERCENT}, at most {high}{PERCENT}, at {} UTC.",
            axis.says(span.0)
        ));
    }
    let title = "The attack’s share of the requests";
    figure((title, &says), &key, &plot.write("p-share", (title, &says)))
}

/// What the plots show, for who reads better than they see, and to check them by.
fn in_figures(course: &Course, axis: &Axis) -> String {
    let steps = course.coarser(ROWS_MAX);
    let long = steps.first().map_or(0, |step| step.to_ms - step.from_ms);
    let row = |step: &Step| {
        let rate = |requests: f64| format!("{:.1}", requests);
        let mut called = step.kind.map_or("nobody came", named).to_owned();
        if step.ours > 0 {
            called.push_str(", our own fault");
        }
        vec![
            axis.says(step.from_ms),
            called,
            grouped(step.counts.requests),
            rate(step.requests_most as f64 / WINDOW_S),
            grouped(step.people_most),
            step.usual.map_or("–".to_owned(), grouped),
            step.share().map_or("–".to_owned(), range),
        ]
    };
    let rows: Vec<_> = steps.iter().map(row).collect();
    let caption = format!(
        "Steps of {}; the verdict is the gravest in each, people and the pace are those of the five \
         seconds that had most.",
        lasted(long)
    );
    let columns = [
        "From, UTC",
        "Called",
        "Requests",
        "Most a second",
        "Most people",
        "Usual",
        "Attack’s share of requests",
    ];
    format!(
        "<details><summary>The plots in figures</summary>{}</details>",
        table(&caption, &columns, &rows, "numbers")
    )
}
