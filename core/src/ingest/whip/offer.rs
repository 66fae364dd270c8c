//! An offer to send sound: is it one we can answer, and what does it want?

use super::sdp::{Credentials, attribute, lines};
use super::{Error, Fragment};

/// Bytes of an offer that are read. Chromium's with video is about 8,000, OBS's 1,400.
pub const OFFER_BYTES_MAX: usize = 32_768;
/// Media lines of an offer: audio, and what is refused beside it.
const MEDIA_LINES_MAX: usize = 8;
/// What a speaker's encoder is asked to spend at most, in bits per second: speech with its in-band
/// redundancy. More of it is neither heard in the program nor makes losses easier to bear (decision 0090).
const SPEECH_BIT_S_MAX: u32 = 48_000;

/// Whether the sender wants to hear the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// `sendonly`: plain WHIP.
    ToSend,
    /// `sendrecv`: answered with the mix without the sender's own voice.
    ToSendAndHear,
}

/// Whether the sender takes requests for packets that were lost (RFC 4585).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nack {
    /// It sends them again.
    Taken,
    /// It does not.
    NotTaken,
}

/// An offer that can be answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The whole text.
    pub text: String,
    /// The sender's name and password for ICE.
    pub credentials: Credentials,
    /// What it wants.
    pub wants: Wants,
    /// Whether lost packets may be asked for.
    pub nack: Nack,
    /// The audio's `a=mid`; `0` when there is none.
    pub mid: String,
}

impl Offer {
    /// Reads an offer.
    ///
    /// # Errors
    /// What is wrong with it, in one pass over its lines.
    pub fn read(text: &str) -> Result<Self, Error> {
        if text.len() > OFFER_BYTES_MAX {
            return Err(Error::TooLong);
        }
        let sections = Sections::read(text)?;
        let audio = sections.only_audio()?;
        let shared = &sections.session;
        // Under BUNDLE the first media line carries ICE and DTLS for all.
        let bearers = [&sections.media[0], audio, shared];
        let ufrag = bearers.iter().find_map(|section| section.ufrag);
        let pwd = bearers.iter().find_map(|section| section.pwd);
        let credentials = Credentials::read(ufrag, pwd)?;
        bearers.iter().find_map(|section| section.fingerprint).ok_or(Error::Fingerprint)?;
        match bearers.iter().find_map(|section| section.setup) {
            None | Some("actpass" | "active") => {}
            Some(_) => return Err(Error::Setup),
        }
        if !audio.opus {
            return Err(Error::NoOpus);
        }
        let wants = match audio.direction.or(shared.direction).unwrap_or("sendrecv") {
            "sendonly" => Wants::ToSend,
            "sendrecv" => Wants::ToSendAndHear,
            _ => return Err(Error::SendsNothing),
        };
        let nack = if audio.nack { Nack::Taken } else { Nack::NotTaken };
        let mid = audio.mid.unwrap_or("0").to_owned();
        Ok(Self { text: text.to_owned(), credentials, wants, nack, mid })
    }

    /// The same offer with a new name and password and without addresses: what the sender would have offered
    /// had it begun ICE anew by an offer.
    #[must_use]
    pub fn restarted(&self, fresh: &Credentials) -> Self {
        let mut text = String::with_capacity(self.text.len() + 64);
        let mut is_told = false;
        for line in self.text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
            if line.is_empty() || is_of_ice(line) {
                continue;
            }
            if line.starts_with("m=") && !std::mem::replace(&mut is_told, true) {
                text.push_str(&format!("a=ice-ufrag:{}\r\na=ice-pwd:{}\r\n", fresh.ufrag, fresh.pwd));
            }
            text.push_str(line);
            text.push_str("\r\n");
        }
        Self { text, credentials: fresh.clone(), ..self.clone() }
    }

    /// The addresses the offer came with.
    pub fn fragment(&self) -> Fragment {
        let candidates = self.text.lines().filter_map(|line| line.strip_prefix("a="));
        let candidates = candidates.filter(|line| line.starts_with("candidate:")).map(str::to_owned);
        Fragment { credentials: None, candidates: candidates.collect() }
    }
}

/// An answer with what an Opus sender is asked for beyond what the library writes (RFC 7587, section 6.1):
/// mono speech within `SPEECH_BIT_S_MAX`.
pub fn answer_for_speech(answer: &str) -> String {
    let mut text = String::with_capacity(answer.len() + 64);
    for line in answer.split_inclusive('\n') {
        let bare = line.trim_end_matches(['\r', '\n']);
        if bare.starts_with("a=fmtp:") && bare.contains("useinbandfec") {
            text.push_str(&format!("{bare};maxaveragebitrate={SPEECH_BIT_S_MAX}\r\n"));
        } else {
            text.push_str(line);
        }
    }
    text
}

fn is_of_ice(line: &str) -> bool {
    ["a=ice-ufrag:", "a=ice-pwd:", "a=candidate:", "a=end-of-candidates"]
        .iter()
        .any(|start| line.starts_with(start))
}

/// What one section says.
#[derive(Default)]
struct Section<'a> {
    /// `audio` with a port that is not 0.
    audio: bool,
    direction: Option<&'a str>,
    mid: Option<&'a str>,
    ufrag: Option<&'a str>,
    pwd: Option<&'a str>,
    fingerprint: Option<&'a str>,
    setup: Option<&'a str>,
    opus: bool,
    nack: bool,
}

struct Sections<'a> {
    session: Section<'a>,
    media: Vec<Section<'a>>,
}

impl<'a> Sections<'a> {
    fn read(text: &'a str) -> Result<Self, Error> {
        let mut sections = Self { session: Section::default(), media: Vec::new() };
        for (at, line) in lines(text).enumerate() {
            let (letter, value) = line?;
            if at == 0 && (letter, value) != (b'v', "0") {
                return Err(Error::NotSdp);
            }
            match letter {
                b'm' if sections.media.len() == MEDIA_LINES_MAX => return Err(Error::TooManyMedia),
                b'm' => sections.media.push(Section::of_media(value)),
                b'a' => sections.media.last_mut().unwrap_or(&mut sections.session).learn(value),
                _ => {}
            }
        }
        Ok(sections)
    }

    fn only_audio(&self) -> Result<&Section<'a>, Error> {
        let mut audio = self.media.iter().filter(|section| section.audio);
        match (audio.next(), audio.next()) {
            (Some(only), None) => Ok(only),
            (None, _) => Err(Error::AudioLines(0)),
            (Some(_), Some(_)) => Err(Error::AudioLines(2 + audio.count())),
        }
    }
}

impl<'a> Section<'a> {
    fn of_media(value: &str) -> Self {
        let mut words = value.split(' ');
        let audio = words.next() == Some("audio") && words.next() != Some("0");
        Self { audio, ..Self::default() }
    }

    fn learn(&mut self, value: &'a str) {
        match attribute(value) {
            ("sendonly" | "recvonly" | "sendrecv" | "inactive", "") => self.direction = Some(value),
            ("mid", mid) => self.mid = Some(mid),
            ("ice-ufrag", name) => self.ufrag = Some(name),
            ("ice-pwd", word) => self.pwd = Some(word),
            ("fingerprint", print) => self.fingerprint = Some(print),
            ("setup", part) => self.setup = Some(part),
            ("rtpmap", map) => self.opus |= is_opus(map),
            ("rtcp-fb", feedback) => {
                self.nack |= feedback.split_once(' ').is_some_and(|(_, kind)| kind == "nack")
            }
            _ => {}
        }
    }
}

/// `111 opus/48000/2`, in any case of letters.
fn is_opus(map: &str) -> bool {
    map.split_once(' ').is_some_and(|(_, codec)| codec.trim().eq_ignore_ascii_case("opus/48000/2"))
}
