//! What came of an evening as one HTML file for people: the answers first, then plots, figures with their
//! meanings, and what was assumed.

use std::fmt::Write;

use tribune_core::guard::page::axis::{Axis, Scale};
use tribune_core::guard::page::html::{self, figure, section, table};
use tribune_core::guard::page::plot::{Piece, Plot, Span, band};
use tribune_core::guard::page::words::{escaped, grouped};

use super::outcome::{About, Moment, Outcome};

/// Plots are drawn as if the evening had been announced for 20:00 of this day: 2024-08-12T20:00:00Z.
const START_MS: i64 = 1_723_492_800_000;
/// Pixels from the lowest to the highest value.
const HEIGHT: f64 = 190.0;
const HEIGHT_LOW: f64 = 110.0;
/// Answers that took less at worst are not drawn, in milliseconds.
const ANSWER_MS_MIN: u64 = 10;
/// Verdicts that held for less are not in the table, in seconds.
const HELD_S_MIN: i64 = 10;

/// The page of an outcome.
pub fn page(outcome: &mut Outcome, about: &About<'_>) -> String {
    let headline = headline(outcome);
    let mut body = format!(
        "<header><b>tribune simulate</b><span>Simulated</span><span class=\"who\"><bdi>{}</bdi></span>\
         </header><main><h1>{headline}</h1><p class=\"lead\">{}</p>",
        escaped(about.title),
        lead(outcome, about),
    );
    body.push_str(&answers(outcome));
    body.push_str(&section("course", "How it went", &plots(outcome)));
    body.push_str(&section("figures", "The figures, and what they mean", &figures(outcome)));
    body.push_str(&section("verdicts", "Crowd or attack?", &verdicts(outcome)));
    let sources: String = about.sources.iter().map(|one| format!("<li>{}</li>", escaped(one))).collect();
    body.push_str(&section("sources", "What is known of this evening", &format!("<ul>{sources}</ul>")));
    let assumed: String = about.assumed.iter().map(|one| format!("<li>{}</li>", escaped(one))).collect();
    let from = escaped(about.measured_from);
    body.push_str(&section(
        "assumed",
        "What was assumed",
        &format!("<ul>{assumed}</ul><p>What things cost was measured: {from}.</p>"),
    ));
    body.push_str(&section("check", "How to check it", &check(outcome, about)));
    body.push_str("</main><footer>Written by tribune simulate. It needs no network.</footer>");
    html::page(&headline, &body)
}

/// The one sentence.
fn headline(outcome: &Outcome) -> String {
    let started = started(outcome);
    let away = match outcome.turned_away {
        0 => "nobody was turned away".to_owned(),
        away => format!("{} were turned away", grouped(away)),
    };
    let stopped = if outcome.is_whole { "" } else { " It was stopped before its end." };
    format!(
        "{started}: of {} who came, {} were in at once, and {away}.{stopped}",
        grouped(outcome.people),
        grouped(outcome.seated_max),
    )
}

/// Whether it began when it was to.
fn started(outcome: &Outcome) -> String {
    match outcome.started_late_s {
        None => "Nobody heard anything".to_owned(),
        Some(late) if late >= 1.0 => format!("It began {late:.0} s late"),
        Some(_) => "It began on time".to_owned(),
    }
}

fn lead(outcome: &Outcome, about: &About<'_>) -> String {
    let nodes = match about.nodes {
        1 => "one node".to_owned(),
        nodes => format!("{nodes} nodes"),
    };
    format!(
        "An evening in virtual time, by the rules that a node runs, on {nodes}; seed {}. Nobody \
         listened: this is what the rules would have done with {} seats.",
        about.seed,
        grouped(outcome.cap_max),
    )
}

fn answers(outcome: &mut Outcome) -> String {
    let mut pairs = String::new();
    let mut pair = |name: &str, value: &str, beside: &str| {
        let _ = write!(
            pairs,
            "<div><dt>{name}</dt><dd><b>{value}</b> <span class=\"soft\">{beside}</span></dd></div>"
        );
    };
    let mut seconds = |percent| outcome.waited_ms.percentile(percent).map(|ms| seconds(ms.into()));
    let (half, most) = (seconds(50), seconds(90));
    pair("Waited, half of them", &or_nobody(half), &format!("nine of ten: {}", or_nobody(most)));
    let mut ms = |percent| outcome.first_sound_ms.percentile(percent).map(|ms| format!("{ms} ms"));
    let (half, most) = (ms(50), ms(99));
    pair("First sound, half of them", &or_nobody(half), &format!("99 of a hundred: {}", or_nobody(most)));
    pair("Let in", &grouped(outcome.seated), &format!("{} at once", grouped(outcome.seated_max)));
    pair(
        "Gave up before",
        &grouped(outcome.gave_up),
        &format!("{} hear the replay", grouped(outcome.replays)),
    );
    pair(
        "Error pages",
        &grouped(outcome.error_pages),
        &format!("{} put off, place kept", grouped(outcome.put_off)),
    );
    let longest = seconds_of(outcome.gaps_ms.longest());
    pair("Gaps in the sound", &grouped(outcome.gaps_ms.count() as u64), &format!("the longest {longest}"));
    pair("Beyond what was carried", &grouped(outcome.over_cap), "seats given");
    let (books, order) = (outcome.books_balanced, outcome.order_kept);
    pair(
        "Books",
        if books { "Balanced" } else { "Not balanced" },
        if order { "order kept" } else { "order not kept" },
    );
    format!("<dl class=\"panel figures\">{pairs}</dl>")
}

fn or_nobody(value: Option<String>) -> String {
    value.unwrap_or_else(|| "Nobody".to_owned())
}

fn seconds(ms: u64) -> String {
    match ms {
        ..10_000 => format!("{:.1} s", ms as f64 / 1_000.0),
        10_000..120_000 => format!("{} s", ms / 1_000),
        _ => format!("{} min", ms / 60_000),
    }
}

fn seconds_of(ms: u32) -> String {
    seconds(ms.into())
}

/// Each moment with the time it stands for.
fn steps(course: &[Moment]) -> Vec<(Span, &Moment)> {
    let at_ms = |moment: &Moment| START_MS + moment.at_s * 1_000;
    let ends = course.iter().skip(1).map(at_ms);
    course.iter().zip(ends).map(|(moment, end_ms)| ((at_ms(moment), end_ms), moment)).collect()
}

fn plots(outcome: &Outcome) -> String {
    let steps = steps(&outcome.course);
    let (Some(first), Some(last)) = (steps.first(), steps.last()) else {
        return "<p>It was stopped before there was anything to draw.</p>".to_owned();
    };
    let axis = Axis::new(first.0.0, last.0.1);
    let mut text =
        "<p>Every plot shows the same time, as if the evening had been announced for 20:00 UTC.</p>\
                    <div class=\"plots\">"
            .to_owned();
    text.push_str(&lanes(outcome, &axis, &steps));
    text.push_str(&people(&axis, &steps));
    text.push_str(&waiting(&axis, &steps));
    text.push_str(&answering(&axis, &steps));
    text + "</div>"
}

fn largest(steps: &[(Span, &Moment)], of: impl Fn(&Moment) -> u64) -> u64 {
    steps.iter().map(|(_, moment)| of(moment)).max().unwrap_or_default()
}

fn line(steps: &[(Span, &Moment)], of: impl Fn(&Moment) -> u64) -> Vec<(Span, f64)> {
    steps.iter().map(|(span, moment)| (*span, of(moment) as f64)).collect()
}

fn lanes(outcome: &Outcome, axis: &Axis, steps: &[(Span, &Moment)]) -> String {
    let class = |kind: &str| match kind {
        "crowd" => ("k-crowd", 0.6, "Crowd"),
        "attack" => ("k-attack", 1.0, "Attack"),
        "both" => ("k-both", 1.0, "Crowd and attack"),
        "unknown" => ("k-unknown", 0.8, "Unknown"),
        _ => ("k-calm", 0.2, ""),
    };
    let verdict = |held: &super::outcome::Held| {
        let (class, height, says) = class(held.kind);
        let span = (START_MS + held.from_s * 1_000, START_MS + (held.to_s + 1) * 1_000);
        Piece { span, class, height, says }
    };
    let within = |piece: &Piece| steps.last().is_some_and(|(span, _)| piece.span.1 <= span.1);
    let said: Vec<Piece> = outcome.verdicts.iter().map(verdict).filter(within).collect();
    let ladder = |(span, moment): &(Span, &Moment)| {
        let height = f64::from(moment.ladder) / 4.0;
        (moment.ladder > 0).then_some(Piece { span: *span, class: "k-ours", height, says: "" })
    };
    let ladder: Vec<Piece> = steps.iter().filter_map(ladder).collect();
    let says = "Above, what the guard of one node said; below, how far its ladder went before \
                anybody was refused: a lower bit rate, whole segments, the delayed tier, the replay.";
    let key =
        [("k-calm", "Calm"), ("k-crowd", "Crowd"), ("k-both", "Crowd and attack"), ("k-ours", "Ladder")];
    let title = "The verdict, and the ladder";
    figure((title, says), &key, &band(axis, "p-verdict", (title, says), &[said, ladder]))
}

fn people(axis: &Axis, steps: &[(Span, &Moment)]) -> String {
    let most = largest(steps, |moment| moment.listening.max(moment.taken));
    // Seats that nobody wanted would press everything else to the ground.
    let cap = largest(steps, |moment| moment.cap).min(most.saturating_mul(2));
    let mut plot = Plot::new(axis, Scale::up_to(most.max(cap) as f64), (HEIGHT, " people"));
    let area: Vec<_> = steps.iter().map(|(span, moment)| (*span, 0.0, moment.listening as f64)).collect();
    plot.area("s-people", &area);
    plot.line("l-usual", &line(steps, |moment| moment.cap.min(cap)));
    let says = "Who listens, and the seats that there were.";
    let key = [("s-people", "listening"), ("l-usual", "seats")];
    let title = "People inside";
    figure((title, says), &key, &plot.write("p-people", (title, says)))
}

fn waiting(axis: &Axis, steps: &[(Span, &Moment)]) -> String {
    let most = largest(steps, |moment| moment.tickets).max(1);
    let mut plot = Plot::new(axis, Scale::up_to(most as f64), (HEIGHT, " tickets"));
    plot.line("l-most", &line(steps, |moment| moment.tickets));
    plot.line("l-usual", &line(steps, |moment| moment.now_serving.min(most)));
    plot.line("l-low", &line(steps, |moment| moment.waiting));
    let says = "Tickets that were drawn, the number below which they were called, and those that were \
                neither claimed nor ended; among these are the tickets nobody came back with.";
    let key = [("l-most", "drawn"), ("l-usual", "called"), ("l-low", "waiting")];
    let title = "The line";
    figure((title, says), &key, &plot.write("p-line", (title, says)))
}

fn answering(axis: &Axis, steps: &[(Span, &Moment)]) -> String {
    let most = largest(steps, |moment| moment.answer_ms.into());
    if most < ANSWER_MS_MIN {
        return format!("<p>Nobody would have waited {ANSWER_MS_MIN} ms for an answer at any node.</p>");
    }
    let mut plot = Plot::new(axis, Scale::up_to(most as f64), (HEIGHT_LOW, " ms"));
    plot.line("l-most", &line(steps, |moment| moment.answer_ms.into()));
    let says = "The longest that anybody would have waited for an answer, at the node where it was longest.";
    let title = "How long an answer took";
    figure((title, says), &[], &plot.write("p-answers", (title, says)))
}

fn figures(outcome: &Outcome) -> String {
    let rows = [
        ("Tickets drawn", outcome.tickets, "people who were given a place in line"),
        ("Let in", outcome.seated, "had a seat at least once"),
        (
            "At once",
            outcome.seated_max,
            "seats taken at the same time, those kept for a lost connection included",
        ),
        ("Seats", outcome.cap_max, "the most that all nodes together offered"),
        (
            "Found full",
            outcome.found_full,
            "were called, and found no free seat at that moment; they kept their right",
        ),
        ("Gave up", outcome.gave_up, "waited no longer, and never had a seat"),
        ("Turned away", outcome.turned_away, "waited to the end, and never had a seat"),
        ("Never came back", outcome.never_came_back, "took a ticket, and were gone"),
        ("Without a ticket", outcome.no_ticket, "never got so far"),
        (
            "Beyond measured",
            outcome.beyond_measured,
            "the most that were in beyond what measured costs carry, while nothing was late",
        ),
        ("Replays", outcome.replays, "still waited when it ended, and hear the recording"),
        ("Put off", outcome.put_off, "requests asked to come again in some seconds; nobody lost a place"),
        ("Error pages", outcome.error_pages, "answers that came later than 20 s, or not at all"),
        ("Asked where they stand", outcome.polls, "requests of those who waited, by a sample"),
    ];
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|(name, value, says)| vec![(*name).to_owned(), grouped(*value), (*says).to_owned()])
        .collect();
    let wrong: String = outcome.wrong.iter().map(|wrong| format!("<li>{}</li>", escaped(wrong))).collect();
    let wrong =
        if wrong.is_empty() { wrong } else { format!("<p>Rules that were broken:</p><ul>{wrong}</ul>") };
    table("Counts of the whole evening", &["What", "How many", "What it means"], &rows, "figures-of") + &wrong
}

fn verdicts(outcome: &Outcome) -> String {
    let clock = |at_s: i64| tribune_core::guard::page::axis::clock(START_MS + at_s * 1_000);
    let long = outcome.verdicts.iter().filter(|held| held.to_s - held.from_s >= HELD_S_MIN);
    let rows: Vec<Vec<String>> = long
        .map(|held| {
            let fault = if held.self_inflicted { ", our own fault" } else { "" };
            vec![clock(held.from_s), clock(held.to_s), format!("{}{fault}", held.kind)]
        })
        .collect();
    let caption = "What the guard of one node said, for ten seconds or more";
    table(caption, &["From", "To", "Verdict"], &rows, "events")
}

fn check(outcome: &Outcome, about: &About<'_>) -> String {
    format!(
        "<p>The same scenario, seed and number of nodes give the same evening on machines of the same kind. \
         This one has the digest <code>{}</code>.</p><pre>tribune simulate SCENARIO.toml --seed {} \
         --nodes {}</pre>",
        outcome.digest, about.seed, about.nodes
    )
}
