//! One of those who come, without a socket: what they ask next, and what they make of the answer.

use std::time::Duration;

use crate::replay::answers::Answer;

/// Come again, said nobody.
const AGAIN: Duration = Duration::from_secs(5);
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
            ticket: String::new(),
            secret: String::new(),
            pass: String::new(),
        }
    }

    /// The request that is to be sent now.
    pub fn request(&mut self, now: Duration, (room, host): (&str, &str)) -> Vec<u8> {
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
                self.asked.get_or_insert(now);
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
    pub fn answered(&mut self, now: Duration, answer: &Answer) -> Option<Duration> {
        let again = answer.retry_after.unwrap_or(AGAIN);
        match (self.stage, answer.status) {
            (Stage::Ticket, 200 | 201) => match answer.string("ticket").zip(answer.string("secret")) {
                Some((ticket, secret)) => {
                    (self.ticket, self.secret, self.stage) = (ticket, secret, Stage::Claim);
                    Some(Duration::ZERO)
                }
                None => Some(again),
            },
            (Stage::Claim, 200) => {
                let pass = answer.string("pass")?;
                self.let_in.get_or_insert(now);
                (self.pass, self.stage) = (pass, Stage::Program);
                Some(Duration::ZERO)
            }
            // The program is over.
            (_, 410) => {
                self.stage = Stage::Gone;
                None
            }
            (Stage::Program, _) => {
                self.stage = Stage::Claim;
                Some(again)
            }
            (Stage::Claim, 202) => Some(answer.number("retry_after_ms").map_or(again, Duration::from_millis)),
            (Stage::Ticket | Stage::Claim, _) => Some(again),
            (Stage::Gone, _) => None,
        }
    }

    /// The connection broke, or nobody answered: after how long they ask again.
    pub fn broken(&mut self) -> Duration {
        if self.stage == Stage::Program {
            self.stage = Stage::Claim;
        }
        AGAIN_BROKEN
    }
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
        assert_eq!(person.answered(at(2), &ticket), Some(Duration::ZERO));
        let claim = String::from_utf8(person.request(at(2), place)).expect("text");
        assert!(claim.ends_with("\r\n\r\n{\"ticket\":\"T-1\",\"secret\":\"S_2\"}"), "{claim}");
        let waits = answer(202, r#"{"drawn":true,"settling":true,"retry_after_s":1,"retry_after_ms":822}"#);
        assert_eq!(person.answered(at(2), &waits), Some(Duration::from_millis(822)));
        let busy = Answer { retry_after: Some(at(7)), ..answer(503, "") };
        assert_eq!(person.answered(at(3), &busy), Some(at(7)));
        assert_eq!(person.answered(at(9), &answer(200, r#"{"pass":"P"}"#)), Some(Duration::ZERO));
        assert!(person.request(at(10), place).starts_with(b"GET /debate/live.opus?pass=P HTTP/1.1\r\n"));
        assert_eq!((person.let_in, person.asked), (Some(at(9)), Some(at(10))));
        person.broken();
        assert_eq!(person.stage, Stage::Claim, "the ticket has the right to the seat");
        assert_eq!(person.answered(at(11), &answer(410, "")), None);
        assert_eq!(person.stage, Stage::Gone);
    }
}
