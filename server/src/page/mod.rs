//! The pages. The listener's: one HTML answer per room and language, small enough to come in one round trip,
//! with everything that follows it (`assets`) under names that change with their content. The stage's and the
//! console's: `stage`.
//!
//! `web/` builds the templates; here they are filled with a room's `status`, so that the page says the truth
//! before, and without, any script.

mod assets;
mod calendar;
mod facts;
mod kept;
mod negotiate;
mod place;
mod stage;
mod template;

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::LazyLock;

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::{StatusCode, header};
use serde::Deserialize;
use serde_json::{Map, Value, json};

pub use assets::{assets, worker};
pub use calendar::calendar;
pub use kept::{Key, Pages};
pub use negotiate::Encoding;
pub use place::Ticketed;
pub use stage::desk;

/// Under a millisecond a page (measured on the development machine); 9 takes twenty times as long and saves
/// nothing here.
const BROTLI_QUALITY: i32 = 5;
const BROTLI_WINDOW_BITS: i32 = 18;
/// A page may be kept by a cache in between for so long: a crowd at the door asks the node about once a
/// second.
const CACHE_CONTROL: &str = "public, max-age=1";
/// What the page reads of `status`; the rest (signature, books, verdict) would only weigh on the first
/// answer.
const STATUS_FIELDS: [&str; 15] = [
    "title",
    "state",
    "now",
    "starts_at",
    "opens_at",
    "zone",
    "started_at",
    "ended_at",
    "listening",
    "peak",
    "replays",
    "program",
    "notices",
    "replay",
    "report",
];

/// A language the page is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lang {
    /// English.
    En,
    /// French.
    Fr,
}

/// The words of one language that the server itself needs; the sentences stand in the template.
#[derive(Debug, Deserialize)]
struct Words {
    days: String,
    months: String,
    at: String,
    day_unit: String,
    thousands: String,
    missing_title: String,
}

/// What the build of `web/` tells: hashes for the content security policy (base64 of SHA-256), file names,
/// words.
#[derive(Debug, Deserialize)]
struct Built {
    script_sha256: String,
    style_sha256: String,
    card: String,
    inside: BTreeMap<String, String>,
    floor: String,
    words: BTreeMap<String, Words>,
}

static BUILT: LazyLock<Built> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../web/dist/door/built.json"))
        .expect("web/build.mjs writes this form")
});

impl Lang {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::En, Self::Fr];

    /// Its BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Fr => "fr",
        }
    }

    /// The language of this tag.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.tag() == tag)
    }

    /// `?lang=` if it names one, else the first of `Accept-Language` (RFC 9110, 12.5.4) that is one, else
    /// English.
    pub fn choose(query: Option<&str>, accept_language: Option<&str>) -> Self {
        query
            .and_then(Self::of_tag)
            .unwrap_or_else(|| negotiate::language(accept_language.unwrap_or_default()))
    }

    fn words(self) -> &'static Words {
        &BUILT.words[self.tag()]
    }

    const fn page(self) -> &'static str {
        match self {
            Self::En => include_str!("../../../web/dist/door/page.en.html"),
            Self::Fr => include_str!("../../../web/dist/door/page.fr.html"),
        }
    }

    const fn line(self) -> &'static str {
        match self {
            Self::En => include_str!("../../../web/dist/door/line.en.html"),
            Self::Fr => include_str!("../../../web/dist/door/line.fr.html"),
        }
    }

    /// The template the script draws with: the whole, or once the conversation is over what can still be
    /// shown.
    const fn main(self, over: Over) -> &'static str {
        match (self, over) {
            (Self::En, Over::No) => include_str!("../../../web/dist/door/main.en.html"),
            (Self::En, Over::Yes) => include_str!("../../../web/dist/door/over.en.html"),
            (Self::Fr, Over::No) => include_str!("../../../web/dist/door/main.fr.html"),
            (Self::Fr, Over::Yes) => include_str!("../../../web/dist/door/over.fr.html"),
        }
    }
}

/// Has the conversation ended?
#[derive(Clone, Copy)]
enum Over {
    Yes,
    No,
}

/// A page, ready to be sent.
#[derive(Clone, Debug)]
pub struct Page {
    /// `200`, or `404` for a room that does not exist.
    pub status: StatusCode,
    /// The document, in UTF-8.
    pub html: String,
    /// The value of `Content-Security-Policy`: this page's script and style by hash, and nothing from
    /// elsewhere.
    pub csp: String,
    /// The value of `Content-Language`.
    pub lang: Lang,
    whose: Whose,
}

/// Whose the page is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// Everybody's.
    Everybodys,
    /// One visitor's: no cache in between may keep it.
    Visitors,
}

/// Where the node is found: the bases of its links, without a slash at the end (`https://listen.example`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Of the public listener.
    pub public: String,
    /// Of the stage listener: whoever is granted the floor speaks there, from the same page.
    pub stage: String,
}

/// The page of a room.
///
/// `status` is the public `status` document, of which `room`, `title`, `state` and `now` must be there.
pub fn render(status: &Value, lang: Lang, site: &Site) -> Page {
    render_for(None, status, lang, site)
}

/// The page of a room for one visitor who holds a ticket: it shows their place also without a script.
pub fn render_personal(ticketed: &Ticketed, status: &Value, lang: Lang, site: &Site) -> Page {
    render_for(Some(ticketed), status, lang, site)
}

fn render_for(ticketed: Option<&Ticketed>, status: &Value, lang: Lang, site: &Site) -> Page {
    let base_url = &site.public;
    let path = format!("/{}", status["room"].as_str().unwrap_or_default());
    let url = format!("{base_url}{path}");
    let mut data: Map<String, Value> = STATUS_FIELDS
        .iter()
        .filter(|name| !status[**name].is_null())
        .map(|name| ((*name).to_owned(), status[*name].clone()))
        .collect();
    data.extend(crowd(status).unwrap_or_default());
    if let Some(Value::Array(notices)) = data.get_mut("notices") {
        notices.drain(..notices.len().saturating_sub(facts::NOTICES_SHOWN));
    }
    data.insert("url".into(), url.as_str().into());
    data.insert("inside".into(), format!("/assets/{}", BUILT.inside[lang.tag()]).into());
    data.insert("day".into(), lang.words().day_unit.as_str().into());
    let mut values = facts::facts(status, lang.words());
    values.extend([("path".into(), path.into()), ("url".into(), url.into())]);
    if let Some(ticketed) = ticketed {
        data.insert("place".into(), ticketed.place.clone());
        values.extend(ticketed.values(status, lang.words()));
        values.insert("line".into(), template::fill(lang.line(), &values).into());
    }
    let whose = if ticketed.is_some() { Whose::Visitors } else { Whose::Everybodys };
    Page { whose, ..page(StatusCode::OK, values, (lang, site, data)) }
}

/// What the script needs of the door before it has a status of its own.
fn crowd(status: &Value) -> Option<Map<String, Value>> {
    let draw = &status["draw"];
    let draw = draw["at"].is_string().then(|| json!({"at": draw["at"], "count": draw["count"]}));
    let door = json!({
        "seats": {"cap": status["seats"]["cap"], "taken": status["seats"]["taken"]},
        "tickets": status["tickets"], "now_serving": status["now_serving"],
        "draw": draw,
    });
    let over = status["state"] == "ended" || !status["seats"].is_object();
    door.as_object().filter(|_| !over).cloned()
}

/// The page for a name under which there is no room: an answer that says so, with status 404.
pub fn missing(lang: Lang, site: &Site) -> Page {
    let title = lang.words().missing_title.as_str();
    let values = json!({"title": title, "missing": true, "url": site.public, "path": ""});
    let Value::Object(values) = values else { unreachable!("written as an object above") };
    page(StatusCode::NOT_FOUND, values, (lang, site, Map::new()))
}

fn page(
    status: StatusCode,
    mut values: Map<String, Value>,
    (lang, site, data): (Lang, &Site, Map<String, Value>),
) -> Page {
    let over = if values.contains_key("ended") { Over::Yes } else { Over::No };
    let dot = if values.contains_key("live") { "b3261e" } else { "888" };
    // A `<` in a title could end the script element that holds the data (HTML, 4.12.1.3).
    let data = Value::Object(data).to_string().replace('<', "\\u003c");
    let more = [
        ("dot", dot),
        ("card", &format!("{}/assets/{}", site.public, BUILT.card)),
        ("style", include_str!("../../../web/dist/door/page.css")),
        ("script", include_str!("../../../web/dist/door/door.js")),
        ("main", lang.main(over)),
        ("data", &data),
    ];
    values.extend(more.map(|(name, text)| (name.to_owned(), text.into())));
    let csp = format!(
        "default-src 'none'; script-src 'self' 'sha256-{}'; style-src 'sha256-{}'; connect-src 'self' {}; \
         media-src 'self' blob:; img-src 'self' data:; worker-src 'self'; base-uri 'none'; \
         form-action 'self'",
        BUILT.script_sha256,
        BUILT.style_sha256,
        stage::origin(&site.stage)
    );
    Page { status, html: template::fill(lang.page(), &values), csp, lang, whose: Whose::Everybodys }
}

impl Page {
    /// The document's bytes under `encoding`.
    pub fn encode(&self, encoding: Encoding) -> Bytes {
        pack(&self.html, encoding)
    }

    /// The whole answer, headers included. `body` is what `encode` gave for the same encoding, kept by a
    /// caller that answers many.
    pub fn respond(&self, encoding: Encoding, body: Bytes) -> Response {
        let cache = match self.whose {
            Whose::Everybodys => CACHE_CONTROL,
            Whose::Visitors => "private, no-store",
        };
        let answer = Response::builder()
            .status(self.status)
            .header(header::CONTENT_TYPE, "text/html; charset=utf-8")
            .header(header::CONTENT_LANGUAGE, self.lang.tag())
            .header(header::CONTENT_SECURITY_POLICY, self.csp.as_str())
            .header(header::VARY, "accept-encoding, accept-language, cookie")
            .header(header::CACHE_CONTROL, cache)
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(header::REFERRER_POLICY, "no-referrer")
            .header("permissions-policy", "microphone=(self)");
        let answer = encoding.label(answer);
        answer.body(Body::from(body)).expect("every header above is plain ASCII")
    }
}

/// A document's bytes under `encoding`.
fn pack(html: &str, encoding: Encoding) -> Bytes {
    let html = html.as_bytes();
    match encoding {
        Encoding::Brotli => brotli(html).into(),
        Encoding::Gzip => gzip(html).into(),
        Encoding::Identity => Bytes::copy_from_slice(html),
    }
}

fn brotli(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let params = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW_BITS,
        size_hint: bytes.len(),
        mode: brotli::enc::backward_references::BrotliEncoderMode::BROTLI_MODE_TEXT,
        ..Default::default()
    };
    brotli::BrotliCompress(&mut &*bytes, &mut out, &params).expect("memory to memory cannot fail");
    out
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    out.write_all(bytes).and_then(|()| out.finish()).expect("memory to memory cannot fail")
}

#[cfg(test)]
mod tests;
