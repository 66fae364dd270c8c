//! What is said of an evening in words. `verify.py` says the same sentences from the same numbers; a test
//! keeps them equal.

use super::evening::Evening;
use super::line::FEW;
use crate::guard::Kind;
use crate::guard::page::words::{count, grouped};

/// How people are written who are too few to be told apart.
pub(super) const FEWER: &str = "fewer than 10";
/// Beyond this share that may be an attack's, nobody says that there is no sign of one; in parts of ten
/// thousand.
const TOLD_MAX: u64 = 5_000;

const UNTOLD: [&str; 5] = [
    "A machine that listens in real time is counted as a listener.",
    "Who attacks from behind one address with many honest people is not told from them.",
    "What never reached the node is in no account: packets that a network before it dropped.",
    "The ledger says what the node counted. Whoever runs the node could have made it count wrongly while it \
     happened; what it counted cannot be changed afterwards without changing the hash that every kept status \
     names.",
    "A verdict is over the ten seconds before it, and what becomes of who came is known twelve seconds \
     later.",
];

/// An evening in one sentence.
pub(super) fn headline(evening: &Evening) -> String {
    let (attacked, crowded) = evening.attacked_and_crowded();
    let all = evening.seconds.len() as u64;
    let [low, high] = evening.share();
    let (at_least, at_most) = (low / 100, high.div_ceil(100));
    let mut says = match (attacked > 0, crowded > 0) {
        (true, true) => "A crowd came, and there was an attack",
        (true, false) => "There was an attack",
        (false, true) => "A crowd came",
        (false, false) if evening.of_kind(Kind::Unknown) * 2 > all => "It cannot be told what came",
        (false, false) => "It was calm",
    }
    .to_owned();
    if evening.own_fault() > 0 {
        says.push_str(", and partly it was our own fault");
    }
    let share = if attacked > 0 {
        format!(
            "the attack lasted {} of {}, and of the evening's requests at least {at_least} % and at most \
             {at_most} % were nobody's who listens",
            grouped(attacked),
            count(all, "second"),
        )
    } else if low == 0 && high <= TOLD_MAX {
        format!("no sign of an attack larger than {at_most} % of the requests")
    } else if high > TOLD_MAX {
        format!("of up to {at_most} % of the requests it cannot be told whose they are")
    } else {
        format!(
            "{at_least} to {at_most} % of the requests were nobody's who listens, too few to be called an \
             attack"
        )
    };
    let people = match evening.people().value {
        0 => "no people were seen".to_owned(),
        1..FEW => format!("{FEWER} people at once"),
        most => format!("up to {} people at once", grouped(most)),
    };
    format!("{says}: {people}; {share}.")
}

/// What would change the verdict.
pub(super) fn would_change(evening: &Evening) -> Vec<&'static str> {
    let (attacked, crowded) = evening.attacked_and_crowded();
    let attack = if attacked > 0 {
        "If most of those whom nothing explains had begun to hear within twelve seconds, what they asked for \
         would be a crowd's."
    } else {
        "If for two seconds in a row at least 15 % of the requests, of the newcomers or of the open \
         connections had been explained by nothing, it would be called an attack."
    };
    let crowd = if crowded > 0 {
        "If no more people than usual had come, or if few of them had begun to hear, it would not be called \
         a crowd."
    } else {
        "If clearly more people than usual had come and had begun to hear, it would be called a crowd."
    };
    let ours = if evening.own_fault() > 0 {
        "If fewer than a tenth of the answers to people had been errors of ours, and few had asked again \
         because of them, none of it would be our own fault."
    } else {
        "If a tenth of the answers to people had been errors of ours, or three in ten requests had come from \
         who got them, it would be partly our own fault."
    };
    vec![attack, crowd, ours]
}

/// What cannot be known.
pub(super) const fn unknown() -> [&'static str; 5] {
    UNTOLD
}

/// So many, or that they are too few to be told apart.
pub(super) fn few(number: u64) -> String {
    if (1..FEW).contains(&number) { FEWER.to_owned() } else { grouped(number) }
}
