//! `tribune simulate` as somebody at a terminal has it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::node::until;

fn simulate(words: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tribune")).arg("simulate").args(words).output().expect("it runs")
}

/// A scenario of the project with fewer people, in a folder.
fn with_people(folder: &Path, people: u32) -> PathBuf {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scenarios/mass-reconnect.toml");
    let text = std::fs::read_to_string(whole).expect("it is there");
    let text = text.replace("people = 400_000", &format!("people = {people}"));
    let file = folder.join("evening.toml");
    std::fs::write(&file, text).expect("our own folder");
    file
}

#[test]
fn an_evening_is_one_document_and_the_same_for_its_seed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = with_people(folder.path(), 3_000);
    let name = file.to_str().expect("a plain path");
    let lives = |words: &[&str]| -> Value {
        let ran = simulate(&[&[name, "--json"], words].concat());
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        serde_json::from_slice(&ran.stdout).expect("one document")
    };
    let (one, again, other) = (lives(&[]), lives(&["--seed", "1"]), lives(&["--seed", "2", "--nodes", "3"]));
    assert_eq!((&one["digest"], &one["seated"]), (&again["digest"], &again["seated"]));
    assert_ne!(one["digest"], other["digest"]);
    assert_eq!(
        (&one["simulated"], &one["people"], &other["nodes"]),
        (&true.into(), &3_000.into(), &3.into())
    );
    for name in
        ["started_late_s", "seated_max", "over_cap", "error_pages", "turned_away", "wall_s", "rss_max_mb"]
    {
        assert!(one[name].is_number(), "{name}: {one}");
    }
    for name in ["p50", "p90", "p99"] {
        assert!(one["waited_s"][name].is_number() && one["first_sound_ms"][name].is_number(), "{one}");
    }
    assert_eq!((&one["books_balanced"], &one["order_kept"]), (&true.into(), &true.into()));
    assert!(
        one["verdicts"].is_array() && one["assumed"].as_array().is_some_and(|all| all.len() > 5),
        "{one}"
    );
    let page = folder.path().join("evening.html");
    let told = simulate(&[name, "--html", page.to_str().expect("a plain path")]);
    let page = std::fs::read_to_string(page).expect("it was written");
    assert!(
        page.starts_with("<!doctype html>") && page.contains("It began on time: of 3,000 who came"),
        "{page}"
    );
    assert!(
        page.contains(one["digest"].as_str().expect("text"))
            && !page.contains("http:")
            && !page.contains("https:"),
        "it needs nothing else"
    );
    let text = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(text.contains("3,000 came, on 1 nodes") && text.contains("simulated"), "{text}");
}

#[test]
fn what_cannot_be_lived_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let (wrong, absent) = (folder.path().join("wrong.toml"), folder.path().join("absent.toml"));
    std::fs::write(&wrong, "title = 1\n").expect("our own folder");
    let absent_folder = folder.path().join("none/evening.html");
    let ran = simulate(&[
        with_people(folder.path(), 300).to_str().expect("a plain path"),
        "--html",
        absent_folder.to_str().expect("a plain path"),
    ]);
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(ran.status.code() == Some(2) && told.contains("The page cannot be written to"), "{told}");
    let folder = folder.path().to_str().expect("a plain path");
    for (file, says) in [
        (wrong.to_str().expect("a plain path"), "wrong.toml: line 1: "),
        (absent.to_str().expect("a plain path"), "cannot be read"),
        (folder, "is no scenario: name a TOML file"),
    ] {
        let ran = simulate(&[file]);
        let told = String::from_utf8_lossy(&ran.stderr);
        assert!(ran.status.code() == Some(2) && told.contains(says), "{file}: {told}");
        assert_eq!(told.trim_end().lines().count(), 1, "{told}");
    }
}

#[test]
fn who_stops_it_has_what_was_lived_until_then() {
    let folder = tempfile::tempdir().expect("a folder");
    // Minutes of work for this build.
    let file = with_people(folder.path(), 4_000_000);
    let child = Command::new(env!("CARGO_BIN_EXE_tribune"))
        .args(["simulate", "--json"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    let id = child.id();
    let caught = || {
        // Of the signals that a process handles, SIGINT is the second bit (proc(5)).
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or_default().trim();
        u64::from_str_radix(line, 16).is_ok_and(|bits| bits & 0b10 != 0)
    };
    until("it takes Ctrl-C", caught);
    let sent = Command::new("bash").args(["-c", &format!("kill -s INT {id}")]).status();
    assert!(sent.expect("bash is there").success());
    let ran = child.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(told.contains("It was stopped") && ran.status.code() == Some(1), "{told}");
    let said: Value = serde_json::from_slice(&ran.stdout).expect("what came before is told");
    assert_eq!(said["whole"], false);
}
