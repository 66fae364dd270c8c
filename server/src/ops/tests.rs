//! The scrape holds what the wire promises, and the dashboard shows nothing that is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http_body_util::BodyExt;
use tower::ServiceExt;
use tribune_core::books::{Books, Column};
use tribune_core::guard::live::{Audit, Guard};
use tribune_core::reason::{Departure, Refusal, Shed};
use tribune_core::time::WallTime;

use super::*;
use crate::shutdown;

const DASHBOARD: &str = include_str!("../../../docs/grafana/tribune.json");
const COUNTS: &str = include_str!("../../../docs/counts.md");

fn metrics() -> Arc<Metrics> {
    Metrics::new(&std::env::temp_dir())
}

/// As on a node with a listener and a room: a family without a member is in no scrape.
fn busy_metrics() -> Arc<Metrics> {
    let metrics = metrics();
    metrics.listener("public").answered("/{room}", 200);
    metrics.media().received.inc();
    metrics.room("evening").lateness.observe(std::time::Duration::from_millis(1));
    metrics.output("evening", "opus").listeners.inc();
    metrics.stage("evening").people.inc();
    let (resource, tier) = ("processor", "full");
    drop(metrics.capacity.cost.get_or_create(&capacity::Cost { resource, tier }));
    drop(metrics.capacity.there_is.get_or_create(&capacity::Of { resource }));
    drop(metrics.capacity.inside.get_or_create(&capacity::By { tier }));
    let second = Guard::default().second(1_000, WallTime(0), &Audit::new([7; 32]));
    metrics.guard.show(&second);
    metrics
}

/// The sum of all lines of a metric, labels or not.
fn total(text: &str, name: &str) -> u64 {
    text.lines()
        .filter(|line| line.split(['{', ' ']).next() == Some(name))
        .map(|line| line.rsplit(' ').next().and_then(|count| count.parse::<u64>().ok()).expect("a count"))
        .sum()
}

#[test]
fn the_books_balance_in_every_scrape() {
    let metrics = metrics();
    let door = Arc::new(Door::default());
    let kept: Arc<dyn Keeps> = door.clone();
    metrics.ledger.open(kept.clone());
    for step in 0..40_u32 {
        door.entry(|books| match step % 5 {
            0 | 1 => books.arrive(Column::Seated),
            2 => books.arrive_refused(Refusal::FullForNow),
            3 => books.arrive(Column::Waiting),
            _ => books.leave(Column::Seated, Departure::HungUp),
        });
        metrics.ledger.shed(Shed::HeadSlow);
        let text = metrics.text();
        let columns = ["tribune_waiting", "tribune_seated", "tribune_refused_total", "tribune_left_total"];
        let sum: u64 = columns.iter().map(|name| total(&text, name)).sum();
        assert_eq!(total(&text, "tribune_arrived_total"), sum, "at step {step}");
    }
    door.entry(|books| books.leave_many(Column::Seated, Departure::RoomEnded, 8));
    metrics.ledger.close(&kept);
    let text = metrics.text();
    assert_eq!((total(&text, "tribune_seated"), total(&text, "tribune_arrived_total")), (0, 32));
    assert_eq!(total(&text, "tribune_shed_total"), 40);
    assert!(text.contains("tribune_left_total{reason=\"hung_up\"} 8"), "{text}");
}

/// A door with nothing but books.
#[derive(Default)]
struct Door(Mutex<Books>);

impl Door {
    fn entry(&self, write: impl FnOnce(&mut Books)) {
        write(&mut self.0.lock().expect("one thread"));
    }
}

impl Keeps for Door {
    fn books(&self) -> Books {
        self.0.lock().expect("one thread").clone()
    }
}

/// Every name a scrape may hold, from its `# TYPE` lines.
fn names(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let Some((name, kind)) = line.strip_prefix("# TYPE ").and_then(|rest| rest.split_once(' ')) else {
            continue;
        };
        let suffixes: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        names.extend(suffixes.iter().map(|suffix| format!("{name}{suffix}")));
    }
    names
}

#[test]
fn every_metric_has_one_name_with_help() {
    let text = busy_metrics().text();
    assert!(text.ends_with("# EOF\n"));
    let mut told = BTreeMap::<&str, u32>::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("# HELP ")) {
        let (name, help) = line.split_once(' ').expect("a sentence");
        assert!(help.len() > 10, "{name}: {help}");
        *told.entry(name).or_default() += 1;
    }
    assert!(told.values().all(|times| *times == 1), "{told:?}");
    assert!(told.len() > 25);
}

#[test]
fn the_dashboard_shows_only_metrics_that_exist_and_forgets_none() {
    let dashboard: serde_json::Value = serde_json::from_str(DASHBOARD).expect("the dashboard is JSON");
    let mut queries = Vec::new();
    collect_queries(&dashboard, &mut queries);
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let shown: BTreeSet<_> = queries
        .iter()
        .flat_map(|query| query.split(word))
        .filter(|word| word.starts_with("tribune_") || word.starts_with("process_"))
        .map(str::to_owned)
        .collect();
    let known = names(&busy_metrics().text());
    let unknown: Vec<_> = shown.difference(&known).collect();
    assert!(unknown.is_empty(), "the dashboard asks for {unknown:?}, which no scrape holds");
    let missing: Vec<_> = known
        .difference(&shown)
        .filter(|name| !name.ends_with("_sum") && !name.ends_with("_count"))
        .collect();
    assert!(missing.is_empty(), "the dashboard does not show {missing:?}");
}

#[test]
fn a_room_that_is_over_is_in_no_scrape() {
    let metrics = busy_metrics();
    assert!(metrics.text().contains("room=\"evening\""));
    metrics.forget_room("evening", &["opus"]);
    metrics.forget_stage("evening");
    assert!(!metrics.text().contains("room=\"evening\""));
}

fn collect_queries<'a>(value: &'a serde_json::Value, into: &mut Vec<&'a str>) {
    match value {
        serde_json::Value::Object(fields) => {
            into.extend(fields.get("expr").and_then(serde_json::Value::as_str));
            fields.values().for_each(|field| collect_queries(field, into));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| collect_queries(item, into)),
        serde_json::Value::Null
        | serde_json::Value::Bool(_)
        | serde_json::Value::Number(_)
        | serde_json::Value::String(_) => {}
    }
}

async fn get(router: &Router, path: &str) -> (StatusCode, String) {
    let request = http::Request::get(path).body(Body::empty()).expect("a request");
    let answer = router.clone().oneshot(request).await.expect("infallible");
    let status = answer.status();
    let bytes = answer.into_body().collect().await.expect("a body").to_bytes();
    (status, String::from_utf8(bytes.to_vec()).expect("text"))
}

#[tokio::test]
async fn ready_names_what_is_not() {
    let (trigger, shutdown) = shutdown::pair();
    let checks = Checks::new(shutdown);
    let full = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = full.clone();
    checks.add("disk", move || match seen.load(std::sync::atomic::Ordering::Relaxed) {
        true => Err("The disk is full.".to_owned()),
        false => Ok(()),
    });
    checks.warn("recording", || Err("It is not recorded.".to_owned()));
    let router = router(metrics(), checks, crate::guard::Watch::new(crate::world::World::begin()));
    assert_eq!(get(&router, "/healthz").await, (StatusCode::OK, "alive\n".to_owned()));
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, StatusCode::OK, "what only warns takes no traffic away");
    assert!(body.contains(r#"{"name":"recording","ok":false,"says":"It is not recorded."}"#), "{body}");
    full.store(true, std::sync::atomic::Ordering::Relaxed);
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains(r#"{"name":"disk","ok":false,"says":"The disk is full."}"#), "{body}");
    full.store(false, std::sync::atomic::Ordering::Relaxed);
    trigger.drain();
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(body.contains("The node is shutting down."), "{body}");
    assert!(get(&router, "/metrics").await.1.contains("tribune_arrived_total 0"));
}

#[test]
fn the_page_of_counts_names_every_metric_and_no_other() {
    let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
    let quoted = COUNTS.split('`').skip(1).step_by(2).filter_map(|code| code.split(word).next());
    let told: BTreeSet<_> =
        quoted.filter(|name| name.starts_with("tribune_") || name.starts_with("process_")).collect();
    let known = names(&busy_metrics().text());
    let known: BTreeSet<_> = known
        .iter()
        .filter(|name| !name.ends_with("_sum") && !name.ends_with("_count"))
        .map(|name| name.strip_suffix("_bucket").unwrap_or(name))
        .collect();
    assert_eq!(told, known);
}
