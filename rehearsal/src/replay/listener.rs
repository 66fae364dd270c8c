//! Somebody who comes to listen, without a socket: what they ask next, and what they make of an answer.

use std::time::Duration;

use super::answers::{Answer, Body};
use super::map::Ask;
use super::people::{Attempt, Comer, Stay};
use super::requests::Request;
use super::site::{Listed, Site, first_address};
use super::tally::Heard;

/// A page gives up an answer after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// Come again, said nobody.
const RETRY: Duration = Duration::from_secs(5);
/// After a connection broke.
const RETRY_BROKEN: Duration = Duration::from_secs(2);
/// A player that was in asks for a segment again.
const RETRY_SOUND: Duration = Duration::from_secs(1);
/// A playlist that lists nothing new is read again.
const RELOAD: Duration = Duration::from_millis(300);
/// The room's own player shows its pass so often, which keeps its seat.
const RENEW: Duration = Duration::from_secs(20);
/// Segments after which somebody is in.
const IN_SEGMENTS: u64 = 2;

/// What they do next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    /// Send this request.
    Ask(Vec<u8>, Body),
    /// Close the connection.
    Leave,
}

/// Where they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Away,
    Page,
    Script,
    Style,
    Ticket,
    Claim,
    Playlist,
    Renewal,
    Media,
    Segment(u64),
    Gone,
}

/// One of them.
pub(super) struct Listener<'a> {
    comer: &'a Comer,
    site: &'a Site,
    host: String,
    stay: usize,
    attempt: usize,
    at: At,
    due: Duration,
    asked_at: Option<Duration>,
    is_leaving: bool,
    ticket: Option<(String, String)>,
    pass: Option<String>,
    renewed: Duration,
    media: String,
    segment_path: String,
    last: Option<u64>,
    in_stay: u64,
    runs_out: Duration,
    heard: Heard,
}

impl<'a> Listener<'a> {
    pub fn new(comer: &'a Comer, site: &'a Site) -> Self {
        Self {
            comer,
            site,
            host: site.node().to_string(),
            stay: 0,
            attempt: 0,
            at: At::Away,
            due: comer.comes(),
            asked_at: None,
            is_leaving: false,
            ticket: None,
            pass: None,
            renewed: Duration::ZERO,
            media: String::new(),
            segment_path: String::new(),
            last: None,
            in_stay: 0,
            runs_out: Duration::ZERO,
            heard: Heard::default(),
        }
    }

    /// Whether they are gone for good.
    pub fn is_gone(&self) -> bool {
        self.at == At::Gone
    }

    /// What became of them.
    pub fn heard(&self) -> Heard {
        self.heard
    }

    /// When the request that is due was due.
    pub fn due(&self) -> Duration {
        self.due
    }

    /// What there is to do now; `unanswered` counts a request that is given up.
    pub fn act(&mut self, now: Duration, unanswered: &mut u64) -> Option<Act> {
        if std::mem::take(&mut self.is_leaving) {
            return Some(Act::Leave);
        }
        let stay = self.stay()?;
        if self.at != At::Away && now >= stay.until {
            self.leave(now);
            return Some(Act::Leave);
        }
        if let Some(asked_at) = self.asked_at {
            if now.saturating_sub(asked_at) < PATIENCE {
                return None;
            }
            *unanswered += 1;
            self.failed(now);
            return Some(Act::Leave);
        }
        if now < self.due || self.at == At::Gone {
            return None;
        }
        if self.at == At::Away {
            self.at = At::Page;
        }
        self.asked_at = Some(now);
        Some(self.ask(now))
    }

    /// An answer has come.
    pub fn answered(&mut self, now: Duration, answer: &Answer) {
        self.asked_at = None;
        match (self.at, answer.status) {
            (At::Page, 200) if self.with_files() => self.go(now, At::Script),
            (At::Page, 200) | (At::Style, _) => self.go_to_door(now),
            (At::Script, _) => self.go(now, At::Style),
            (At::Ticket, 200 | 201) => self.keep_ticket(now, answer),
            (At::Claim, 200) => self.keep_pass(now, answer),
            (At::Claim, 202) => {
                let again = answer.number("retry_after_ms").map(Duration::from_millis);
                self.due = now + again.or(answer.retry_after).unwrap_or(RETRY);
            }
            (At::Playlist, 200) => self.begin(now, answer),
            (At::Renewal, 200) => self.go(now, At::Media),
            (At::Claim, 400 | 403 | 404) => {
                self.ticket = None;
                self.go(now, At::Ticket);
            }
            (At::Playlist | At::Renewal, 403 | 409) => {
                self.pass = None;
                self.go(now, At::Claim);
            }
            (_, 410) => self.at = At::Gone,
            (At::Media, 200) => self.choose(now, answer),
            (At::Segment(number), 200) => self.hear(now, number),
            (At::Segment(_), 404) => self.go(now, At::Media),
            _ => self.refused(now, answer),
        }
    }

    /// The connection ended before the answer, or could not be made.
    pub fn broken(&mut self, now: Duration) {
        self.heard.resets += 1;
        self.failed(now);
    }

    fn stay(&self) -> Option<&'a Stay> {
        self.comer.stays.get(self.stay)
    }

    fn attempt(&self) -> Option<&'a Attempt> {
        self.stay()?.attempts.get(self.attempt)
    }

    fn with_files(&self) -> bool {
        self.attempt().is_some_and(|attempt| attempt.with_files)
    }

    fn go(&mut self, now: Duration, to: At) {
        (self.at, self.due) = (to, now);
    }

    /// A browser that holds a ticket draws no other, and one that holds a pass shows that.
    fn go_to_door(&mut self, now: Duration) {
        let to = match (&self.pass, &self.ticket) {
            (Some(_), _) => At::Playlist,
            (None, Some(_)) => At::Claim,
            (None, None) => At::Ticket,
        };
        self.go(now, to);
    }

    fn ask(&mut self, now: Duration) -> Act {
        let room = self.site.room();
        let path = match self.at {
            At::Script => self.site.path(&Ask::Script),
            At::Style => self.site.path(&Ask::Style),
            At::Ticket => self.site.path(&Ask::Ticket),
            At::Claim => format!("/{room}/claim"),
            At::Playlist | At::Renewal => match &self.pass {
                Some(pass) => format!("/{room}/live.m3u8?pass={pass}"),
                None => self.site.path(&Ask::Playlist),
            },
            At::Media => self.media.clone(),
            At::Segment(_) => self.segment_path.clone(),
            At::Page | At::Away | At::Gone => self.site.path(&Ask::Page),
        };
        let is_page = self.at == At::Page;
        let body = match (&self.ticket, self.at) {
            (Some((ticket, secret)), At::Claim) => {
                format!("{{\"ticket\":\"{ticket}\",\"secret\":\"{secret}\"}}")
            }
            _ => String::new(),
        };
        self.heard.tickets_asked += u64::from(self.at == At::Ticket);
        if matches!(self.at, At::Playlist | At::Renewal) {
            self.renewed = now;
        }
        let packed = matches!(self.at, At::Page | At::Script | At::Style);
        let own = format!("http://{}/{room}", self.host);
        let request = Request {
            method: match self.at {
                At::Ticket | At::Claim => "POST",
                At::Renewal => "HEAD",
                _ => "GET",
            },
            path: &path,
            host: &self.host,
            agent: &self.comer.agent,
            referer: if is_page { &self.comer.referer } else { &own },
            cookie: &self.cookie(),
            accept: if is_page { "text/html,application/xhtml+xml" } else { "*/*" },
            encodings: if packed { "gzip, deflate, br" } else { "" },
            body: &body,
            ..Request::EMPTY
        };
        let kept = match self.at {
            At::Renewal => Body::None,
            At::Ticket | At::Claim | At::Playlist | At::Media => Body::Kept,
            _ => Body::Dropped,
        };
        Act::Ask(request.whole(), kept)
    }

    fn cookie(&self) -> String {
        let room = self.site.room();
        let ticket = self.ticket.as_ref().map(|(ticket, secret)| format!("ticket-{room}={ticket}.{secret}"));
        let pass = self.pass.as_ref().map(|pass| format!("pass-{room}={pass}"));
        ticket.into_iter().chain(pass).collect::<Vec<_>>().join("; ")
    }

    fn keep_ticket(&mut self, now: Duration, answer: &Answer) {
        match (answer.string("ticket"), answer.string("secret")) {
            (Some(ticket), Some(secret)) => {
                self.ticket = Some((ticket, secret));
                self.go(now, At::Claim);
            }
            _ => self.failed(now),
        }
    }

    fn keep_pass(&mut self, now: Duration, answer: &Answer) {
        self.pass = answer.string("pass");
        self.go(now, At::Playlist);
    }

    fn begin(&mut self, now: Duration, answer: &Answer) {
        let text = answer.text();
        let Some(media) = first_address(&text) else { return self.failed(now) };
        self.media = format!("/{}/{media}", self.site.room());
        self.go(now, At::Media);
    }

    /// The next segment in order; the newest for who has none, or who fell out of what is listed.
    fn choose(&mut self, now: Duration, answer: &Answer) {
        let Some(listed) = Listed::of(&answer.text()) else { return self.due = now + RELOAD };
        let number = match self.last {
            Some(last) if last >= listed.last => return self.due = now + RELOAD,
            Some(last) if last + 1 >= listed.first => last + 1,
            Some(_) | None => listed.last,
        };
        self.segment_path = listed.path(&self.media, number);
        // What follows is due by the clock of the program, not by how long an answer took.
        self.at = At::Segment(number);
    }

    fn hear(&mut self, now: Duration, number: u64) {
        let duration = self.site.segment_duration();
        self.last = Some(number);
        self.heard.segments += 1;
        self.in_stay += 1;
        if self.in_stay == IN_SEGMENTS {
            self.heard.in_at.get_or_insert(now);
            self.runs_out = now + duration * IN_SEGMENTS as u32;
        } else if self.in_stay > IN_SEGMENTS {
            self.stall(now);
            self.runs_out = self.runs_out.max(now) + duration;
        }
        let is_behind = now > self.due + duration;
        self.due = if is_behind { now } else { self.due + duration };
        let is_stale = self.pass.is_some() && now.saturating_sub(self.renewed) >= RENEW;
        self.at = if is_stale { At::Renewal } else { At::Media };
    }

    /// Nothing was heard since what there was had run out.
    fn stall(&mut self, now: Duration) {
        if now > self.runs_out {
            self.heard.stalls += 1;
            self.heard.stalled += now - self.runs_out;
        }
    }

    fn is_in(&self) -> bool {
        self.in_stay > 0
    }

    fn refused(&mut self, now: Duration, answer: &Answer) {
        self.heard.turned_away += 1;
        if self.is_in() {
            self.due = now + RETRY_SOUND;
        } else {
            self.come_again(now, answer.retry_after.unwrap_or(RETRY));
        }
    }

    fn failed(&mut self, now: Duration) {
        self.asked_at = None;
        if self.is_in() {
            self.heard.interrupted += 1;
            self.due = now + RETRY_SOUND;
        } else {
            self.come_again(now, RETRY_BROKEN);
        }
    }

    /// As they came again in the case; who did not, when they were told to.
    fn come_again(&mut self, now: Duration, wait: Duration) {
        let Some(stay) = self.stay() else { return };
        let later = self.attempt + 1..stay.attempts.len();
        // Whoever waited longer for an answer than in the case did not press again meanwhile.
        let missed = later.clone().rev().find(|place| stay.attempts[*place].at <= now);
        match missed.or(later.clone().next()) {
            Some(next) => {
                self.attempt = next;
                self.is_leaving = true;
                self.go(now.max(stay.attempts[next].at), At::Page);
            }
            None => self.due = now + wait,
        }
    }

    fn leave(&mut self, now: Duration) {
        if self.in_stay >= IN_SEGMENTS {
            self.stall(now);
        }
        self.stay += 1;
        self.attempt = 0;
        self.asked_at = None;
        (self.last, self.in_stay) = (None, 0);
        match self.attempt() {
            Some(next) => self.go(next.at, At::Away),
            None => self.at = At::Gone,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const PLAYLIST: &str = "#EXTINF:2.0,\nopus64/1/6.mp4\n#EXTINF:2.0,\nopus64/1/7.mp4\n";

    fn site() -> Site {
        Site::imagined("127.0.0.1:80".parse().expect("an address"))
    }

    fn comer(attempts_ms: &[u64], until_s: u64) -> Comer {
        let attempt = |at: &u64| Attempt { at: Duration::from_millis(*at), with_files: false };
        let attempts = attempts_ms.iter().map(attempt).collect();
        let stays = vec![Stay { attempts, until: Duration::from_secs(until_s) }];
        Comer { from: Ipv4Addr::new(127, 10, 0, 1), agent: String::new(), referer: String::new(), stays }
    }

    /// What is asked at a time, as its first line; nothing when nothing is asked.
    fn asked(listener: &mut Listener<'_>, ms: u64) -> String {
        let mut unanswered = 0;
        let now = Duration::from_millis(ms);
        let act = std::iter::from_fn(|| listener.act(now, &mut unanswered)).find_map(|act| match act {
            Act::Ask(bytes, _) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Act::Leave => None,
        });
        act.unwrap_or_default().split(" HTTP").next().unwrap_or_default().to_owned()
    }

    fn told(listener: &mut Listener<'_>, ms: u64, (status, body): (u16, &str)) {
        let answer = Answer { status, body: body.as_bytes().to_vec(), ..Answer::default() };
        listener.answered(Duration::from_millis(ms), &answer);
    }

    /// What is asked, when, and what is answered at once.
    type Exchange<'t> = (u64, &'t str, (u16, &'t str));

    const TICKET: (u16, &str) = (201, r#"{"secret":"s","ticket":"t"}"#);
    const PASS: (u16, &str) = (200, r#"{"pass":"p"}"#);

    fn play(listener: &mut Listener<'_>, exchanges: &[Exchange<'_>]) {
        for (ms, ask, answer) in exchanges {
            assert_eq!(asked(listener, *ms), *ask, "at {ms} ms");
            told(listener, *ms, *answer);
        }
    }

    #[test]
    fn somebody_waits_for_their_turn_hears_two_segments_and_stalls_when_the_third_is_late() {
        let (site, comer) = (site(), comer(&[1_000], 20));
        let mut listener = Listener::new(&comer, &site);
        assert_eq!(asked(&mut listener, 999), "");
        let seven = PLAYLIST.replace("7.mp4", "8.mp4");
        play(
            &mut listener,
            &[
                (1_000, "GET /bench", (200, "")),
                (1_001, "POST /bench/ticket", TICKET),
                (1_002, "POST /bench/claim", (202, r#"{"retry_after_ms":800}"#)),
            ],
        );
        assert_eq!(asked(&mut listener, 1_801), "");
        play(
            &mut listener,
            &[
                (1_802, "POST /bench/claim", PASS),
                (1_803, "GET /bench/live.m3u8?pass=p", (200, "hls/opus64.m3u8\n")),
                (1_900, "GET /bench/hls/opus64.m3u8", (200, PLAYLIST)),
                (1_900, "GET /bench/hls/opus64/1/7.mp4", (200, "")),
                (3_900, "GET /bench/hls/opus64.m3u8", (200, PLAYLIST)),
                (4_200, "GET /bench/hls/opus64.m3u8", (200, &seven)),
                (4_200, "GET /bench/hls/opus64/1/8.mp4", (200, "")),
                (6_200, "GET /bench/hls/opus64.m3u8", (200, &seven.replace("8.mp4", "9.mp4"))),
            ],
        );
        assert_eq!(listener.heard().in_at, Some(Duration::from_millis(4_200)));
        assert_eq!(asked(&mut listener, 6_200), "GET /bench/hls/opus64/1/9.mp4");
        told(&mut listener, 9_200, (200, ""));
        let heard = listener.heard();
        assert_eq!((heard.segments, heard.stalls, heard.stalled.as_millis()), (3, 1, 1_000));
        assert_eq!(asked(&mut listener, 20_000), "");
        assert!(listener.is_gone());
    }

    #[test]
    fn who_is_refused_comes_again_as_in_the_case_and_then_as_told() {
        let (site, comer) = (site(), comer(&[0, 400, 700, 5_000], 60));
        let mut listener = Listener::new(&comer, &site);
        play(&mut listener, &[(0, "GET /bench", (200, ""))]);
        assert_eq!(asked(&mut listener, 1), "POST /bench/ticket");
        // The answer took longer than in the case: nobody presses twice at once.
        told(&mut listener, 2_000, (500, ""));
        play(&mut listener, &[(2_000, "GET /bench", (200, "")), (2_001, "POST /bench/ticket", (503, ""))]);
        assert_eq!(asked(&mut listener, 4_999), "");
        play(&mut listener, &[(5_000, "GET /bench", (200, "")), (5_001, "POST /bench/ticket", (503, ""))]);
        assert_eq!(asked(&mut listener, 10_000), "");
        play(&mut listener, &[(10_001, "POST /bench/ticket", TICKET)]);
        assert_eq!((listener.heard().turned_away, listener.heard().tickets_asked), (3, 4));
    }

    #[test]
    fn what_is_not_answered_is_given_up_and_counted() {
        let (site, comer) = (site(), comer(&[0], 60));
        let mut listener = Listener::new(&comer, &site);
        assert_eq!(asked(&mut listener, 0), "GET /bench");
        let mut unanswered = 0;
        assert_eq!(listener.act(Duration::from_secs(9), &mut unanswered), None);
        assert_eq!(listener.act(Duration::from_secs(10), &mut unanswered), Some(Act::Leave));
        assert_eq!(unanswered, 1);
        assert_eq!(asked(&mut listener, 12_000), "GET /bench");
    }
}
