//! One of those who come, without a socket: what they ask next, and what they make of the answer.

use std::time::Duration;

use crate::replay::answers::Answer;

/// Come again, said nobody.
const AGAIN: Duration = Duration::from_secs(5);
/// No server makes somebody ask more often than this, nor keeps them away for longer.
const AGAIN_MIN: Duration = Duration::from_millis(100);
const AGAIN_MAX: Duration = Duration::from_secs(3_600);
/// What a server hands out is no longer than this, in characters.
const HANDED_MAX: usize = 256;
/// After a connection broke, or nobody answered.
const AGAIN_BROKEN: Duration = Duration::from_secs(2);

/// What somebody asks for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// A ticket.
    Ticket,
    /// A seat.
    Claim,
    /// The program.
    Program,
    /// Nothing more.
    Gone,
}

/// Somebody.
#[derive(Debug)]
pub(super) struct Person {
    pub stage: Stage,
    /// When they were to come, since it began.
    pub due: Duration,
    /// When they had a pass first.
    pub let_in: Option<Duration>,
    /// When they first asked for the program.
    pub asked: Option<Duration>,
    /// When they had the first sound.
    pub heard: Option<Duration>,
    /// They leave at this time; not known before they have heard something.
    pub leaves: Option<Duration>,
    /// When they had the last of it, and how long they were without it at most.
    pub last: Option<Duration>,
    pub silence: Duration,
    ticket: String,
    secret: String,
    pass: String,
}

impl Person {
    pub fn new(due: Duration) -> Self {
        Self {
            stage: Stage::Ticket,
            due,
            let_in: None,
            asked: None,
            heard: None,
            leaves: None,
            last: None,
            silence: Duration::ZERO,
            ticket: String::new(),
            secret: String::new(),
            pass: String::new(),
        }
    }

    /// They have sound.
    pub fn sounds(&mut self, now: Duration) {
        self.is_silent_until(now);
        self.last = Some(now);
    }

    /// They have had none until now, or until they left.
    pub fn is_silent_until(&mut self, now: Duration) {
        let until = self.leaves.map_or(now, |leaves| leaves.min(now));
        let silence = self.last.map_or(Duration::ZERO, |last| until.saturating_sub(last));
        self.silence = self.silence.max(silence);
    }

    /// The request that was to be sent at this time.
    pub fn request(&mut self, due: Duration, (room, host): (&str, &str)) -> Vec<u8> {
        let post = |path: &str, body: &str| {
            let length = body.len();
            format!(
                "POST /{room}/{path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: tribune rehearse\r\n\
                 Accept: application/json\r\nConnection: close\r\nContent-Type: application/json\r\n\
                 Content-Length: {length}\r\n\r\n{body}"
            )
        };
        let text = match self.stage {
            Stage::Ticket => post("ticket", ""),
            Stage::Claim => {
                post("claim", &format!("{{\"ticket\":\"{}\",\"secret\":\"{}\"}}", self.ticket, self.secret))
            }
            Stage::Program => {
                self.asked.get_or_insert(due);
                format!(
                    "GET /{room}/live.opus?pass={} HTTP/1.1\r\nHost: {host}\r\n\
                     User-Agent: tribune rehearse\r\n\r\n",
                    self.pass
                )
            }
            Stage::Gone => String::new(),
        };
        text.into_bytes()
    }

    /// What they make of an answer: after how long they ask again, if they do.
    ///
    /// # Errors
    /// It is none to what was asked.
    pub fn answered(&mut self, now: Duration, answer: &Answer) -> Result<Option<Duration>, Malformed> {
        let wait = |wait: Duration| Some(wait.clamp(AGAIN_MIN, AGAIN_MAX));
        let again = wait(answer.retry_after.unwrap_or(AGAIN));
        Ok(match (self.stage, answer.status) {
            (Stage::Ticket, 200 | 201) => {
                (self.ticket, self.secret) = (handed(answer, "ticket")?, handed(answer, "secret")?);
                self.stage = Stage::Claim;
                Some(Duration::ZERO)
            }
            (Stage::Claim, 200) => {
                self.pass = handed(answer, "pass")?;
                self.let_in.get_or_insert(now);
                self.stage = Stage::Program;
                Some(Duration::ZERO)
            }
            // The program is over.
            (_, 410) => {
                self.stage = Stage::Gone;
                None
            }
            (Stage::Program, _) => {
                self.stage = Stage::Claim;
                again
            }
            (Stage::Claim, 202) => {
                answer.number("retry_after_ms").map_or(again, |ms| wait(Duration::from_millis(ms)))
            }
            (Stage::Ticket | Stage::Claim, _) => again,
            (Stage::Gone, _) => None,
        })
    }

    /// The connection broke, or nobody answered: after how long they ask again.
    pub fn broken(&mut self) -> Duration {
        if self.stage == Stage::Program {
            self.stage = Stage::Claim;
        }
        AGAIN_BROKEN
    }
}

/// An answer that is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Malformed;

/// What was handed out: letters that are written as they are, and not many.
fn handed(answer: &Answer, name: &str) -> Result<String, Malformed> {
    let is_plain = |one: char| one.is_ascii_alphanumeric() || matches!(one, '-' | '_' | '.' | '~');
    let is_one = |text: &String| (1..=HANDED_MAX).contains(&text.len()) && text.chars().all(is_plain);
    answer.string(name).filter(is_one).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() }
    }

    #[test]
    fn somebody_goes_from_a_ticket_to_the_program() {
        let (at, place) = (Duration::from_secs, ("debate", "127.0.0.1:1"));
        let mut person = Person::new(at(1));
        assert!(person.request(at(1), place).starts_with(b"POST /debate/ticket HTTP/1.1\r\n"));
        let ticket = answer(201, r#"{"ticket":"T-1","secret":"S_2"}"#);
        assert_eq!(person.answered(at(2), &ticket), Ok(Some(Duration::ZERO)));
        let claim = String::from_utf8(person.request(at(2), place)).expect("text");
        assert!(claim.ends_with("\r\n\r\n{\"ticket\":\"T-1\",\"secret\":\"S_2\"}"), "{claim}");
        let waits = answer(202, r#"{"drawn":true,"settling":true,"retry_after_s":1,"retry_after_ms":822}"#);
        assert_eq!(person.answered(at(2), &waits), Ok(Some(Duration::from_millis(822))));
        let busy = Answer { retry_after: Some(at(7)), ..answer(503, "") };
        assert_eq!(person.answered(at(3), &busy), Ok(Some(at(7))));
        let never = Answer { retry_after: Some(Duration::MAX), ..answer(503, "") };
        assert_eq!(person.answered(at(3), &never), Ok(Some(AGAIN_MAX)));
        for body in ["{}", r#"{"pass":""}"#, r#"{"pass":"a b"}"#] {
            assert_eq!(person.answered(at(3), &answer(200, body)), Err(Malformed), "{body}");
        }
        assert_eq!(person.answered(at(9), &answer(200, r#"{"pass":"P"}"#)), Ok(Some(Duration::ZERO)));
        assert!(person.request(at(10), place).starts_with(b"GET /debate/live.opus?pass=P HTTP/1.1\r\n"));
        assert_eq!((person.let_in, person.asked), (Some(at(9)), Some(at(10))));
        person.broken();
        assert_eq!(person.stage, Stage::Claim, "the ticket has the right to the seat");
        assert_eq!(person.answered(at(11), &answer(410, "")), Ok(None));
        assert_eq!(person.stage, Stage::Gone);
    }

    #[test]
    fn silence_lasts_until_there_is_sound_or_nobody_to_hear_it() {
        let at = Duration::from_secs;
        let mut person = Person::new(at(1));
        person.is_silent_until(at(9));
        assert_eq!(person.silence, at(0), "who has heard nothing yet waits, and is not cut off");
        person.leaves = Some(at(30));
        [10, 11, 14].into_iter().for_each(|seconds| person.sounds(at(seconds)));
        assert_eq!(person.silence, at(3));
        person.is_silent_until(at(99));
        assert_eq!(person.silence, at(16), "they left at 30 s");
    }
}
