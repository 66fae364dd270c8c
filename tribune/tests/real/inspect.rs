//! `tribune inspect` as operators use it: a rotated log, a pipe, and what is no log at all.

use std::fs;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use flate2::Compression;
use flate2::read::GzEncoder;
use serde_json::Value;
use sha2::{Digest, Sha256};

/// An hour's access log of a page with sound, in the Combined format: sixty listen from its first second on,
/// and a hundred ask for one thing over and over from its tenth minute on, for thirty seconds.
fn attacked() -> String {
    let mut lines: Vec<(u32, String)> = Vec::new();
    let mut line = |second: u32, from: &str, target: &str| {
        let time = format!("12/Aug/2024:20:{:02}:{:02} -0400", second / 60, second % 60);
        let (agent, bytes) = ("\"https://a.example/\\\"\" \"Browser (of \\\"some\\\" kind)\"", 512);
        let asked = format!("{from} - - [{time}] \"GET {target} HTTP/1.1\" 200 {bytes} {agent}\n");
        lines.push((second, asked));
    };
    for person in 0..60 {
        let from = format!("2001:db8:0:{person:x}::5");
        ["/room", "/room.js", "/room.css"].iter().for_each(|target| line(person / 20, &from, target));
        for part in 0..450 {
            line(person / 20 + part * 2, &from, &format!("/live/{part}.m4s"));
        }
    }
    for bot in 0..100 {
        (600..630).for_each(|second| line(second, &format!("198.51.100.{bot}"), "/room"));
    }
    lines.sort_by_key(|(second, _)| *second);
    lines.into_iter().map(|(_, line)| line).collect()
}

fn inspect(log: &Path, piped: &[u8]) -> (i32, Value, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tribune"));
    command.args(["inspect", "--json"]).arg(log);
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the binary is there");
    // It may refuse the log before it has read all of it.
    let _ = child.stdin.take().expect("a pipe").write_all(piped);
    let done = child.wait_with_output().expect("it ends");
    let document = serde_json::from_slice(&done.stdout).unwrap_or_default();
    (done.status.code().expect("no signal"), document, String::from_utf8_lossy(&done.stderr).into_owned())
}

#[test]
fn a_log_is_judged_however_it_is_handed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let (plain, packed) = (folder.path().join("access.log"), folder.path().join("access.log.1.gz"));
    let text = attacked();
    let mut gzip = Vec::new();
    GzEncoder::new(text.as_bytes(), Compression::fast()).read_to_end(&mut gzip).expect("memory");
    fs::write(&plain, &text).expect("a file");
    // Rotated logs that were put together are several gzip members.
    let half = text.lines().count() / 2;
    let cut = text.match_indices('\n').nth(half).expect("lines").0 + 1;
    let mut members = Vec::new();
    for part in [&text[..cut], &text[cut..]] {
        GzEncoder::new(part.as_bytes(), Compression::fast()).read_to_end(&mut members).expect("memory");
    }
    fs::write(&packed, &members).expect("a file");
    let (code, first, says) = inspect(&plain, b"");
    assert_eq!((code, says.as_str()), (0, ""));
    assert_eq!((&first["verdict"]["kind"], &first["requests"]), (&"attack".into(), &30_180.into()));
    assert_eq!(first["verdict"]["since"], "2024-08-13T00:10:00.000Z", "{}", first["verdict"]);
    assert_eq!((&first["sources"]["red"], &first["red"][0]["requests"]), (&100.into(), &30.into()));
    assert_eq!(first["verdict"]["attack_share"]["connection_seconds"], serde_json::json!([0.0, 1.0]));
    assert_eq!(inspect(&packed, b"").1, first, "packed, in two pieces");
    assert_eq!(inspect(Path::new("-"), text.as_bytes()).1, first, "through a pipe");
    assert_eq!(inspect(Path::new("-"), &gzip).1, first, "packed, through a pipe");
}

#[test]
fn what_cannot_be_read_is_said_and_what_can_be_is_kept() {
    let text = attacked();
    let mut gzip = Vec::new();
    GzEncoder::new(text.as_bytes(), Compression::fast()).read_to_end(&mut gzip).expect("memory");
    let (code, found, says) = inspect(Path::new("-"), &gzip[..gzip.len() / 2]);
    assert_eq!(code, 0);
    assert!(found["requests"].as_u64() > Some(5_000) && says.contains("ends in the middle"), "{says}");

    let mut mixed = text.replace("198.51.100.7 -", "\u{0}\u{ff}");
    mixed.push_str(&"x".repeat(100_000));
    let (code, found, _) = inspect(Path::new("-"), mixed.as_bytes());
    assert_eq!((code, &found["verdict"]["kind"]), (0, &"attack".into()));
    assert_eq!(found["skipped"]["longer than 16 kB"], 1, "{}", found["skipped"]);

    for (log, piped, why) in [
        (Path::new("-"), &b"\x7fELF\x02\x01\n\0\0\n"[..], "could be read as an access log's"),
        (Path::new("-"), &b""[..], "could be read as an access log's"),
        (Path::new("/nowhere/access.log"), &b""[..], "cannot be opened"),
    ] {
        let (code, _, says) = inspect(log, piped);
        assert!(code == 2 && says.contains(why), "{code} {says}");
    }
}

#[test]
fn a_page_for_people_is_one_file_that_loads_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let (log, page) = (folder.path().join("access <b>.log"), folder.path().join("page.html"));
    let text = attacked().replace("198.51.100.7 -", "!<script>alert(1)</script> -");
    fs::write(&log, &text).expect("a file");
    let wrote = |html: &Path| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tribune"));
        let done =
            command.args(["inspect", "--json", "--html"]).arg(html).arg(&log).output().expect("it ends");
        let says = String::from_utf8_lossy(&done.stderr).into_owned();
        (done.status.code().expect("no signal"), done.stdout, says)
    };
    fs::write(&page, "the one before").expect("a file");
    let (code, document, says) = wrote(&page);
    assert_eq!((code, says.as_str()), (0, ""));
    let document: Value = serde_json::from_slice(&document).expect("the findings beside it");
    assert_eq!(document["verdict"]["kind"], "attack");
    let html = fs::read_to_string(&page).expect("a page");
    assert!(html.starts_with("<!doctype html>") && html.ends_with("</html>\n"));
    for element in ["section", "svg", "table", "tr", "ul", "ol", "dl", "figure", "details", "p", "g", "bdi"] {
        let begun =
            html.matches(&format!("<{element}>")).count() + html.matches(&format!("<{element} ")).count();
        assert_eq!(begun, html.matches(&format!("</{element}>")).count(), "{element}");
    }
    for outside in ["http://", "https://", "<script", "<b>.log", " src=", "<iframe", "@import"] {
        assert!(!html.contains(outside), "{outside}");
    }
    assert!(html.contains("It was an attack") && html.contains("!&lt;script&gt;alert(1)&lt;/script&gt;"));
    let sum: String = Sha256::digest(&text).iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(html.contains(&sum), "what sha256sum says of the log");
    assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2, "nothing is left beside it");
    assert!(wrote(&page).0 == 0 && fs::read_to_string(&page).expect("a page") == html, "the same again");

    for (html, why) in [
        (folder.path().join("nowhere/page.html"), "there is no folder"),
        (folder.path().to_owned(), "name a file"),
        (log.clone(), "that is the log"),
    ] {
        let (code, out, says) = wrote(&html);
        assert!(code == 2 && out.is_empty() && says.contains(why), "{code} {says}");
    }
    assert_eq!(fs::read_to_string(&log).expect("the log"), text, "the log is as it was");
}
