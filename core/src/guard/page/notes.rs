//! What stands beside the numbers: what they mean, what would change them, what they cannot say, and how to
//! check them. As `docs/guard.md` has it, in plain words.

use std::fmt::Write;

use crate::guard::Kind;
use crate::guard::inspect::{Counts, Findings};
use crate::guard::share::Range;
use crate::guard::surge::Surge;

use super::Read;
use super::headline::windows;
use super::html::table;
use super::words::{PERCENT, at_least, count, escaped, grouped};

/// Every request, by what explains it.
pub fn accounts(findings: &Findings) -> String {
    let of = findings.course.total.accounts();
    let all = findings.course.total.requests;
    let rows: Vec<_> = [
        (
            "Explained",
            "A listener’s, who takes the sound piece after piece; or a newcomer’s of the last 12 \
                       s, who asks for no more than a page with all that belongs to it.",
            of.explained,
        ),
        (
            "Our doing",
            "Of somebody whom the server refused or had wait, and who comes again at a pace at \
                       which people reload.",
            of.ours,
        ),
        ("Unsure", "Somebody’s who may come to hear, and may not.", of.unsure),
        ("Idle", "Of who could have begun to hear 12 s ago, did not, and still asks.", of.idle),
        (
            "Many",
            "Of an address through which so many programs ask for so many things that it speaks for \
                  many: a proxy.",
            of.many,
        ),
        (
            "Unexplained",
            "More than twice what all of that explains; or one thing, over and over, and never \
                         to hear. What the idle ask is counted here when most who came never became \
                         listeners.",
            of.unexplained,
        ),
        (
            "Wrong",
            "Breaks the rules of HTTP, or holds connections open: half a request, half an answer.",
            of.wrong,
        ),
    ]
    .into_iter()
    .map(|(name, says, requests)| {
        let share = 100.0 * requests as f64 / all.max(1) as f64;
        vec![name.to_owned(), says.to_owned(), grouped(requests), format!("{share:.1}{PERCENT}")]
    })
    .chain([vec![
        "All".to_owned(),
        "Every request is in one of these, and in one only.".to_owned(),
        grouped(all),
        String::new(),
    ]])
    .collect();
    let caption = "Over the whole log. Where there is no sound in it, looking at a second thing is what \
                   newcomers are expected to do.";
    table(caption, &["Account", "What is put to it", "Requests", "Share"], &rows, "accounts")
}

/// What would have to be otherwise.
pub fn would_change(findings: &Findings) -> String {
    let course = &findings.course;
    let percent = |share: f64| format!("{:.0}{PERCENT}", 100.0 * share);
    let attack = format!(
        "Five seconds are called an attack where nothing explains at least {} requests a second, or {} \
         connections are held open, and at least {} of the requests, of the newcomers or of the time of \
         answering are the attack’s for certain. One such window makes an attack of the whole.",
        Counts::ATTACK_PER_S_MIN,
        Counts::ATTACK_CONNECTIONS_MIN,
        percent(Counts::ATTACK_SHARE_MIN)
    );
    let crowd = format!(
        "They are called a crowd where {} times as many people are here as usual, or in ten minutes as in \
         the ten minutes before, more than chance would have it, and {} at least.",
        Surge::TIMES_MIN,
        Surge::CROWD_MIN
    );
    let mut says = vec![attack, crowd];
    if let (Some(attacked), Some(worst), Some(faintest)) = (course.attacked, course.worst, course.faintest) {
        let (worst, faintest) = (at_least(worst.value), at_least(faintest.value));
        let them = match attacked.windows {
            1 => format!("In it at least {worst}{PERCENT} of one of these is the attack’s"),
            _ => format!(
                "In the clearest of them at least {worst}{PERCENT} of one of these is the attack’s, in the \
                 faintest {faintest}{PERCENT}"
            ),
        };
        says.push(format!(
            "Here {} {} called an attack. {them}. All of them would have to be explained for the verdict \
             to be another.",
            windows(attacked.windows, course.windows),
            if attacked.windows == 1 { "is" } else { "are" },
        ));
    } else if let Some(crowded) = course.crowded {
        says.push(format!(
            "Here {} {} called a crowd. One window that is called an attack would change the verdict; so \
             would a log that begins earlier, if as many people are usual then.",
            windows(crowded.windows, course.windows),
            if crowded.windows == 1 { "is" } else { "are" },
        ));
    } else if findings.verdict.kind == Kind::Calm {
        says.push("Here no window is either. One that is would change the verdict.".to_owned());
    }
    if findings.verdict.attack_share.connection_seconds == Range::ALL {
        says.push(
            "This log does not say how long answers took, or they took next to nothing. With that \
                   written down, connections that are held open could be seen as such."
                .to_owned(),
        );
    }
    let (errors, ours) = Counts::OUR_FAULT_SHARES_MIN;
    says.push(format!(
        "Our own fault is said where {} of the answers to people are errors of the server’s, or {} of the \
         requests come from who got them.",
        percent(errors),
        percent(ours)
    ));
    list(&says)
}

/// What no log tells.
pub fn cannot_know(findings: &Findings) -> String {
    let mut says = vec![
        "A machine that listens in real time is a listener here. Nothing in a log tells it from a person, \
         and it took as much from others as a person would.",
        "A source is an address. Many people behind one address are one source; one person with several \
         addresses is several.",
        "Who asks only for what a page with all that belongs to it would ask for, and for little of it, is \
         unsure or idle: such requests widen the range, and nobody is named for them.",
        "An attacker behind one proxy with many honest people is not told from them.",
        "Of who asked nothing that got as far as the log nothing is known: a flood of packets that the \
         server never saw as requests leaves no line.",
        "A window is judged with what came 15 s later. It is not how soon somebody who watched would have \
         known.",
        "Who is behind an address, and why they did what they did, is not in a log.",
        "The confidence was set on labelled traffic of one machine. It says how clear the numbers are, not \
         how often such verdicts were right elsewhere.",
    ];
    if findings.verdict.kind == Kind::Crowd {
        says.push(
            "Where a crowd comes, a small attack can hide in what is unsure; the upper end of the \
                   range is what it can be.",
        );
    }
    list(&says)
}

/// What is said in the figures above.
pub fn meanings() -> String {
    let mut text = "<dl class=\"words\">".to_owned();
    for (word, says) in [
        ("Window", "Five seconds. Each is judged by itself, once it is known what became of who came in it."),
        ("Source", "An address, an IPv6 network of 64 bits, or a name where the log has names."),
        ("People", "Sources in a window whose requests are explained, are our own doing, or are idle."),
        (
            "Usual",
            "The middle of the windows before that were no crowd; the longer the log, the more what was \
             quiet in it.",
        ),
        (
            "Newcomer",
            "A source in its first 12 s. It becomes a listener when it takes a second piece of sound in \
             that time.",
        ),
        (
            "Attack’s share",
            "A range that holds the true share in 95 of 100 cases, if the rules hold: from what is \
             unexplained or wrong, less 3 points, to that and everything that cannot be told, and 3 \
             points. Of newcomers it is from how few became listeners, where 85 to 100\u{a0}% of honest \
             ones do. Whoever the server refused is left out.",
        ),
        ("For certain", "The lower end of that range."),
        (
            "Time of answering",
            "How long the server took for its answers, together: what connections held open use up.",
        ),
        (
            "Would be shed",
            "Sources that asked for what nothing explains, or broke the rules, in windows in which \
             somebody attacked. Nobody is named for a country, a network’s owner, a program or the page \
             they came from.",
        ),
        ("Confidence", "How often a verdict of this kind, as clear as this, should be right."),
    ] {
        let _ = write!(text, "<dt>{word}</dt><dd>{says}</dd>");
    }
    text + "</dl>"
}

/// How somebody else comes to the same.
pub fn check(read: &Read<'_>) -> String {
    let mut sum = String::new();
    read.sha256.iter().for_each(|byte| _ = write!(sum, "{byte:02x}"));
    let (command, summed) = match read.name {
        Some(name) => {
            let name = escaped(&quoted(name));
            (format!("tribune inspect --html page.html {name}"), format!("sha256sum {name}"))
        }
        None => ("… | tribune inspect --html page.html -".to_owned(), "… | sha256sum".to_owned()),
    };
    let part = match (read.cut_off, read.name) {
        (None, _) => format!("Of the log’s {}, as they were read:", count(read.bytes, "byte")),
        (Some(_), _) => format!(
            "Of the first {} of the log, as far as it could be read (<code>head -c {}</code>):",
            count(read.bytes, "byte"),
            read.bytes
        ),
    };
    format!(
        "<p>The same program over the same log comes to the same. With <code>--json</code> it writes every \
         window and every source that would be \
         shed.</p><pre><code>{command}</code></pre>\
         <p>{part}</p><pre><code>{summed}\n{sum}</code></pre><p>This \
         was tribune {}. Its rules, and what they were measured on, are in <code>docs/guard.md</code> of \
         its source.</p>",
        escaped(read.version)
    )
}

/// A name as a shell reads it back.
fn quoted(name: &str) -> String {
    let is_plain = |mark: char| mark.is_ascii_alphanumeric() || "._-+=@%:,/".contains(mark);
    match name.chars().all(is_plain) && !name.starts_with('-') && !name.is_empty() {
        true => name.to_owned(),
        false if name.starts_with('-') => format!("'./{}'", name.replace('\'', "'\\''")),
        false => format!("'{}'", name.replace('\'', "'\\''")),
    }
}

fn list(says: &[impl AsRef<str>]) -> String {
    let items: String = says.iter().map(|says| format!("<li>{}</li>", says.as_ref())).collect();
    format!("<ul>{items}</ul>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_as_it_stands() {
        for (name, typed) in [
            ("access.log.1.gz", "access.log.1.gz"),
            ("my log", "'my log'"),
            ("it's; rm -r", "'it'\\''s; rm -r'"),
            ("-v", "'./-v'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(name), typed);
        }
    }

    #[test]
    fn a_log_that_broke_off_is_summed_as_far_as_it_was_read() {
        let read =
            Read { name: Some("<a>.log"), bytes: 1_234, sha256: [0xab; 32], cut_off: None, version: "1" };
        let whole = check(&read);
        assert!(whole.contains("1,234 bytes") && whole.contains(&"ab".repeat(32)), "{whole}");
        assert!(whole.contains("&#39;&lt;a&gt;.log&#39;") && !whole.contains("head"), "{whole}");
        assert!(check(&Read { cut_off: Some("corrupt"), ..read }).contains("head -c 1234"));
        assert!(check(&Read { name: None, ..read }).contains("… | tribune inspect"));
    }
}
