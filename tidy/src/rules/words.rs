//! Words: names that say nothing, names from other systems, unfinished work, printing, and paths of one
//! machine.

use crate::code::{mask, test_lines, words};
use crate::{Finding, Source};

/// Words that no file and no type, module or trait may have in its name, and what to say instead.
const BANNED: [(&str, &str); 17] = [
    ("manager", "name what it does"),
    ("helper", "name what it does"),
    ("helpers", "name what they do"),
    ("util", "name what it does"),
    ("utils", "name what they do"),
    ("handler", "name what it does"),
    ("common", "name what is shared"),
    ("misc", "name what it is"),
    ("session", "it is a room, a connection or a ticket"),
    ("meeting", "it is a room"),
    ("kick", "a person is removed"),
    ("ban", "a person is removed"),
    ("promote", "the floor is granted"),
    ("firewall", "it is the guard"),
    ("archive", "it is the recording"),
    ("vod", "it is a replay"),
    ("admin", "it is the host or the operator"),
];

/// Names of files, types, traits and modules are free of words that name nothing or mean something else here.
pub fn names(files: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files {
        let stem = file.name().split('.').next().unwrap_or_default();
        if file.is("rs") || file.is("ts") {
            found.extend(wrong_words(stem).map(|says| Finding::new(file, 0, says)));
        }
        if file.is("rs") {
            for (at, line) in mask(&file.text).lines().enumerate() {
                let said = declared(line).into_iter().flat_map(wrong_words);
                found.extend(said.map(|says| Finding::new(file, at + 1, says)));
            }
        }
    }
    found
}

fn wrong_words(name: &str) -> impl Iterator<Item = String> {
    let name = name.to_owned();
    words(&name).into_iter().filter_map(move |word| {
        let (_, instead) = BANNED.iter().find(|(banned, _)| *banned == word)?;
        Some(format!("`{name}`: not \"{word}\"; {instead} (GLOSSARY.md)."))
    })
}

fn declared(masked_line: &str) -> Option<&str> {
    let mut pieces = masked_line.split_whitespace().skip_while(|word| word.starts_with("pub"));
    match pieces.next()? {
        "struct" | "enum" | "trait" | "type" | "mod" | "union" => {}
        _ => return None,
    }
    pieces.next()?.split(['<', '(', '{', ';', ':', '=']).next()
}

/// Nothing unfinished stays, no test is skipped, no test sleeps.
pub fn unfinished(files: &[Source]) -> Vec<Finding> {
    const EVERYWHERE: [(&str, &str); 4] = [
        ("todo!", "finish it, or open an issue and return an error that says so."),
        ("unimplemented!", "finish it, or return an error that says so."),
        ("dbg!", "take it out."),
        ("#[ignore", "a test runs, or is deleted."),
    ];
    let sleeps =
        "a test that sleeps is slow on a good day and wrong on a bad one: wait for what must happen.";
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is("rs")) {
        let masked = mask(&file.text);
        let tests = test_lines(&masked);
        for (at, line) in masked.lines().enumerate() {
            let wrong = EVERYWHERE.iter().filter(|(word, _)| line.contains(word));
            found.extend(wrong.map(|(word, says)| Finding::new(file, at + 1, format!("`{word}`: {says}"))));
            let in_test = file.is_test() || tests.iter().any(|lines| lines.contains(&at));
            if in_test && (line.contains("sleep(") || line.contains("sleep_until(")) {
                found.push(Finding::new(file, at + 1, sleeps));
            }
        }
    }
    found
}

/// Only commands talk to a terminal; everything else logs or returns.
pub fn printing(files: &[Source]) -> Vec<Finding> {
    const MAY_PRINT: [&str; 4] = ["tribune/src/", "bench/src/", "sim/src/main.rs", "fuzz/"];
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is("rs") && !file.is_test()) {
        if MAY_PRINT.iter().any(|place| file.path.starts_with(place)) || file.name() == "build.rs" {
            continue;
        }
        let masked = mask(&file.text);
        let tests = test_lines(&masked);
        for (at, line) in masked.lines().enumerate() {
            let prints = ["println!", "print!("].iter().any(|word| line.contains(word));
            if prints && !tests.iter().any(|lines| lines.contains(&at)) {
                let says = "only the commands print: log it with tracing, or return it.";
                found.push(Finding::new(file, at + 1, says));
            }
        }
    }
    found
}

/// No tracked file names a folder that exists on one machine only.
pub fn machines(files: &[Source]) -> Vec<Finding> {
    let roots = [["/wo", "rk/"], ["/ho", "me/"], ["/Us", "ers/"], ["/ro", "ot/"], ["/tmp/ba", "sh_jobs"]]
        .map(|two| two.concat());
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.name().ends_with("lock")) {
        for (at, line) in file.text.lines().enumerate() {
            let begins = |root: &str| {
                line.match_indices(root).any(|(place, _)| {
                    !line[..place]
                        .ends_with(|before: char| before.is_alphanumeric() || "._-}".contains(before))
                })
            };
            let wrong = roots.iter().filter(|root| begins(root));
            found.extend(wrong.map(|root| {
                let says =
                    format!("`{root}…` is a folder of one machine: use a path from the project's root.");
                Finding::new(file, at + 1, says)
            }));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(found: &[Finding]) -> Vec<usize> {
        found.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn names_that_name_nothing_are_found() {
        for (path, text, lines) in [
            ("core/src/utils.rs", "", vec![0]),
            ("server/src/a.rs", "pub struct RoomManager {}\nstruct Room;", vec![1]),
            ("server/src/a.rs", "pub(crate) enum HttpHandler<T> {}\nmod session;", vec![1, 2]),
            ("server/src/a.rs", "// struct Helper\nstruct Bandwidth;\nlet s = \"struct Util\";", vec![]),
        ] {
            assert_eq!(lines_of(&names(&[Source::new(path, text)])), lines, "{text}");
        }
    }

    #[test]
    fn unfinished_work_is_found() {
        for (path, text, lines) in [
            ("core/src/a.rs", "fn f() {\n    todo!()\n}", vec![2]),
            ("core/src/a.rs", "#[test]\n#[ignore]\nfn f() {}", vec![2]),
            ("core/src/a.rs", "// todo! is banned\nlet s = \"unimplemented!\";", vec![]),
            ("server/src/a.rs", "fn f() { tokio::time::sleep(wait).await }", vec![]),
            ("server/src/a.rs", "#[cfg(test)]\nmod tests {\n    fn f() { sleep(wait) }\n}", vec![3]),
            ("tribune/tests/a.rs", "fn f() { std::thread::sleep(wait) }", vec![1]),
        ] {
            assert_eq!(lines_of(&unfinished(&[Source::new(path, text)])), lines, "{text}");
        }
    }

    #[test]
    fn printing_is_found_outside_the_commands() {
        for (path, count) in
            [("server/src/a.rs", 1), ("core/src/a.rs", 1), ("tribune/src/main.rs", 0), ("sim/src/main.rs", 0)]
        {
            assert_eq!(printing(&[Source::new(path, "fn f() { println!(\"x\") }")]).len(), count, "{path}");
        }
        let in_test = "#[cfg(test)]\nmod tests {\n    fn f() { eprintln!(\"x\") }\n}";
        assert_eq!(printing(&[Source::new("core/src/a.rs", in_test)]), []);
    }

    #[test]
    fn a_path_of_one_machine_is_found() {
        let path = ["see /ho", "me/anna/notes"].concat();
        assert_eq!(machines(&[Source::new("docs/a.md", path)]).len(), 1);
        let web = ["https://example.org/ho", "me/anna and docs/wo", "rk/plan.md"].concat();
        assert_eq!(machines(&[Source::new("docs/a.md", web)]), []);
    }
}
