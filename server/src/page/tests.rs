use std::io::Read;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::*;

/// The first answer's budget, in bytes of brotli: what fits the first flight of a new connection with its
/// headers.
const BUDGET_BYTES: usize = 6_144;
fn site() -> Site {
    Site { public: "https://listen.example".to_owned(), stage: "https://stage.example/here".to_owned() }
}

fn status(state: &str) -> Value {
    let notice = json!({
        "at": "2026-11-21T20:18:00Z",
        "text": "More people came than this server carries at full quality, so sound is now 32 kbit/s.",
    });
    let replay = json!({
        "opus": "/r/replay.opus", "m4a": "/r/replay.m4a", "hls": "/r/replay.m3u8", "seal": "/r/seal",
    });
    let drawn = matches!(state, "live" | "ended").then_some(800_000);
    json!({
        "room": "r", "title": "An evening conversation", "state": state, "now": "2026-11-21T20:20:00Z",
        "starts_at": if state == "scheduled" { "2026-11-21T21:32:00Z" } else { "2026-11-21T20:00:00Z" },
        "opens_at": "2026-11-21T20:45:00Z",
        "started_at": if state == "scheduled" { Value::Null } else { "2026-11-21T20:00:00Z".into() },
        "ended_at": if state == "ended" { "2026-11-21T20:19:00Z".into() } else { Value::Null },
        "listening": 118_402, "peak": 131_000, "replays": 12, "program": {"head": "ab", "parts": 3_750},
        "seats": {"cap": 120_000, "taken": 118_402, "cap_why": "secret-weight"}, "tickets": 1_204_411,
        "now_serving": if state == "live" { 1_166_171 } else { 0 },
        "draw": {"at": "2026-11-21T21:31:00Z", "count": drawn, "seed": "secret-weight"},
        "rate": {"eta_hit_rate": 0.84}, "notices": [notice, notice, notice, notice],
        "sig": "secret-weight", "verdict": {"kind": "crowd"},
        "replay": if state == "ended" { replay } else { Value::Null },
        "report": if state == "ended" { "https://listen.example/r/report".into() } else { Value::Null },
    })
}

/// What stands between the tags of one element of the page.
fn inside<'a>(html: &'a str, open: &str, close: &str) -> &'a str {
    let (_, after) = html.split_once(open).expect("the element is there");
    after.split_once(close).expect("the element ends").0
}

#[test]
fn every_state_in_every_language_is_whole_and_within_the_budget() {
    for state in ["scheduled", "boarding", "live", "ended"] {
        for lang in Lang::ALL {
            let page = render(&status(state), lang, &site());
            let seen = inside(&page.html, "<body>", "<script");
            assert!(
                !seen.contains("{{") && !page.html.contains("[["),
                "{state} {lang:?}: a placeholder is left"
            );
            assert!(seen.contains("An evening conversation") && !page.html.contains("secret-weight"));
            let bytes = page.encode(Encoding::Brotli).len();
            assert!(bytes <= BUDGET_BYTES, "{state} {lang:?}: {bytes} bytes");
        }
    }
}

#[test]
fn each_state_says_what_can_be_done_without_script() {
    for (state, expected) in [
        (
            "scheduled",
            vec!["1 h 12 min", "Saturday 21 November at 21:32 UTC", "/r/event.ics", "20:45 UTC", "/r/ticket"],
        ),
        ("boarding", vec!["hold sound", "/r/live.opus", "/r/live.aac", "/r/live.m3u8"]),
        ("live", vec!["118,402", "20:00 UTC", "20 min", "Every seat is taken", "/r/ticket", "20:18 UTC"]),
        (
            "ended",
            vec![
                "/r/replay.opus",
                "/r/replay.m4a",
                "/r/seal",
                "href=\"/r/report\"",
                "tribune verify https://listen.example/r/replay.opus",
            ],
        ),
    ] {
        let page = render(&status(state), Lang::En, &site());
        let seen = inside(&page.html, "<body>", "<script");
        for text in expected {
            assert!(seen.contains(text), "{state}: {text}\n{seen}");
        }
        let refreshes = page.html.contains("http-equiv=\"refresh\"");
        assert_eq!(refreshes, state == "scheduled", "{state}");
    }
}

fn ticketed(place: Value) -> Ticketed {
    Ticketed { place, again_s: 37, is_seated: false }
}

#[test]
fn who_holds_a_ticket_sees_their_place_without_script() {
    let in_line = json!({"drawn": true, "rank": 38_120, "ahead": 4_212, "tickets_ahead": 5_105,
        "called": false,
        "eta_s": [380, 640]});
    let far = json!({"drawn": true, "rank": 838_120, "ahead": 9, "tickets_ahead": 9, "called": false,
        "eta_s": [7_200, 9_000]});
    let unknown = json!({"drawn": true, "rank": 7, "ahead": 2, "tickets_ahead": 3, "called": false,
        "eta_s": null});
    let next = json!({"drawn": true, "rank": 7, "ahead": 0, "tickets_ahead": 0, "called": false});
    for (state, place, expected) in [
        (
            "scheduled",
            json!({"drawn": false}),
            vec!["You are in the draw", "At 21:31 UTC", "1,204,411", "120,000"],
        ),
        (
            "live",
            in_line,
            vec![
                "4,212",
                "6–11 min",
                "84 of 100",
                "5,105</span> tickets",
                "38,120",
                "800,000 places",
                "looks again",
            ],
        ),
        ("live", far, vec!["ends within 2 h 00 min", "by the second in which you came", "2–3 h"]),
        ("live", unknown, vec!["cannot be told yet"]),
        ("live", next, vec!["You are next"]),
        ("live", json!({"drawn": true, "settling": true}), vec!["Finding your place"]),
        (
            "live",
            json!({"drawn": true, "rank": 7, "called": true}),
            vec!["It is your turn", "/r/claim?lang=en"],
        ),
    ] {
        let page = render_personal(&ticketed(place.clone()), &status(state), Lang::En, &site());
        let seen = inside(&page.html, "<body>", "<script");
        for text in expected {
            assert!(seen.contains(text), "{place}: {text}\n{seen}");
        }
        assert!(!seen.contains("{{") && !seen.contains("/r/live.opus\""), "{place}: {seen}");
        assert!(page.html.contains("content=\"37\""), "{place}: asked for again at the ticket's pace");
        let answer = page.respond(Encoding::Identity, page.encode(Encoding::Identity));
        assert_eq!(answer.headers()["cache-control"], "private, no-store");
    }
}

#[test]
fn who_has_a_seat_hears_without_script() {
    let called = json!({"drawn": true, "rank": 7, "called": true});
    let seated = Ticketed { is_seated: true, ..ticketed(called) };
    let page = render_personal(&seated, &status("live"), Lang::En, &site());
    let seen = inside(&page.html, "<body>", "<script");
    for text in ["You have a seat", "<audio", "/r/live.opus", "/r/claim"] {
        assert!(seen.contains(text), "{text}: {seen}");
    }
    assert!(!page.html.contains("http-equiv=\"refresh\""), "a reload would cut the sound off");
}

#[test]
fn everybodys_page_is_kept_by_caches_and_never_for_who_shows_a_cookie() {
    let page = render(&status("live"), Lang::En, &site());
    let answer = page.respond(Encoding::Identity, page.encode(Encoding::Identity));
    assert_eq!(answer.headers()["cache-control"], "public, max-age=1");
    assert_eq!(answer.headers()["vary"], "accept-encoding, accept-language, cookie");
    assert!(!page.html.contains("\"place\":"));
}

#[test]
fn the_worker_may_keep_its_own_room_only() {
    let answer = worker("/r");
    let head = |name: &str| answer.headers()[name].to_str().expect("ASCII").to_owned();
    assert_eq!(head("service-worker-allowed"), "/r");
    assert_eq!(
        (head("content-type").as_str(), head("cache-control").as_str()),
        ("text/javascript; charset=utf-8", "no-cache")
    );
    assert_eq!(head("content-security-policy"), "default-src 'none'; connect-src 'self'");
}

#[test]
fn a_title_is_text_wherever_it_stands() {
    let mut hostile = status("live");
    hostile["title"] = "</script><script>alert(1)</script>{{url}}\" onload='x".into();
    let page = render(&hostile, Lang::En, &site());
    assert!(!page.html.contains("<script>alert") && !page.html.contains("</script><script>alert"));
    let head = inside(&page.html, "<head>", "<style>");
    assert!(head.contains("&quot; onload=&#39;x") && !head.contains("\" onload="));
    let data: Value =
        serde_json::from_str(inside(&page.html, "id=\"d\">", "</script>")).expect("the data is JSON");
    assert_eq!(data["title"], hostile["title"]);
}

#[test]
fn the_policy_names_the_script_and_the_style_that_are_there() {
    for lang in Lang::ALL {
        let page = render(&status("live"), lang, &site());
        for (open, close) in [("<script>", "</script>"), ("<style>", "</style>")] {
            let hash = STANDARD.encode(Sha256::digest(inside(&page.html, open, close)));
            assert!(page.csp.contains(&format!("'sha256-{hash}'")), "{open}");
            assert!(page.csp.contains("connect-src 'self' https://stage.example;"), "{}", page.csp);
        }
    }
}

#[test]
fn every_encoding_gives_the_document_back() {
    let page = render(&status("ended"), Lang::Fr, &site());
    let mut plain = Vec::new();
    brotli::BrotliDecompress(&mut &*page.encode(Encoding::Brotli), &mut plain).expect("brotli");
    assert_eq!(plain, page.html.as_bytes());
    plain.clear();
    flate2::read::GzDecoder::new(&*page.encode(Encoding::Gzip)).read_to_end(&mut plain).expect("gzip");
    assert_eq!(plain, page.html.as_bytes());
    assert_eq!(page.encode(Encoding::Identity), page.html.as_bytes());
}

#[test]
fn an_unknown_room_is_an_answer_too() {
    for (lang, sentence) in [(Lang::En, "check the link"), (Lang::Fr, "Vérifiez le lien")] {
        let page = missing(lang, &site());
        assert_eq!(page.status, StatusCode::NOT_FOUND);
        assert!(inside(&page.html, "<body>", "<script").contains(sentence));
    }
}

#[test]
fn what_follows_the_page_is_kept_for_good_and_packed() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let data = render(&status("live"), Lang::En, &site());
    let data: Value = serde_json::from_str(inside(&data.html, "id=\"d\">", "</script>")).expect("JSON");
    let path = data["inside"].as_str().expect("a path");
    let floor = format!("/assets/{}", BUILT.floor);
    for (path, accept, code, coding) in [
        (floor.as_str(), "br", 200, Some("br")),
        (path, "br", 200, Some("br")),
        (path, "gzip", 200, Some("gzip")),
        (path, "", 200, None),
        ("/assets/inside.en.000000000000.js", "br", 404, None),
    ] {
        let request = http::Request::builder().uri(path).header("accept-encoding", accept);
        let request = request.body(axum::body::Body::empty()).expect("a request");
        let answer = runtime.block_on(tower_call(request));
        assert_eq!(answer.status(), code, "{path}");
        let sent = answer.headers().get("content-encoding").map(|value| value.to_str().expect("ASCII"));
        assert_eq!(sent, coding, "{path} {accept}");
        assert_eq!(answer.headers().contains_key("cache-control"), code == 200);
    }
}

async fn tower_call(request: http::Request<Body>) -> Response {
    use hyper::service::Service;
    let service = hyper_util::service::TowerToHyperService::new(assets::<()>());
    service.call(request).await.expect("a router always answers")
}
