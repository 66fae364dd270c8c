//! A closed recording, served from where it lies: no byte is rendered again and none is copied into memory as a whole.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::body::Body;
use bytes::Bytes;
use futures_util::Stream;
use futures_util::stream;
use http::{HeaderMap, Method, Response, StatusCode, header};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncSeekExt};
use tribune_core::egress::range::{Asked, Serve, Version, http_date};
use tribune_core::egress::replay::{Extent, Layout};
use tribune_core::program::seal::to_text;
use tribune_core::time::WallTime;

use super::folder::Stored;

/// Bytes read and sent at a time.
const READ_BYTES: usize = 128 << 10;
/// How long a cache may serve a replay without asking: short, because a passage may be taken out.
const CACHE_CONTROL: &str = "public, max-age=60";

/// The forms of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// `replay.opus`: Ogg Opus.
    Opus,
    /// `replay.m4a`: AAC with its index.
    M4a,
    /// `replay.mp4`: the CMAF file whose byte ranges the playlist names.
    Mp4,
    /// `replay.m3u8`: the playlist.
    Hls,
    /// `seal`: the seal's document.
    Seal,
}

impl Form {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Opus, Self::M4a, Self::Mp4, Self::Hls, Self::Seal];

    /// Its media type.
    pub const fn media_type(self) -> &'static str {
        match self {
            Self::Opus => "audio/ogg; codecs=opus",
            Self::M4a | Self::Mp4 => "audio/mp4",
            Self::Hls => "application/vnd.apple.mpegurl",
            Self::Seal => "application/json",
        }
    }

    /// What it is made of.
    const fn stored(self) -> &'static [Stored] {
        match self {
            Self::Opus => &[Stored::OpusHead, Stored::Pages, Stored::OpusTail],
            Self::M4a => &[Stored::M4aHead, Stored::Chunks],
            Self::Mp4 => &[Stored::Init, Stored::Chunks],
            Self::Hls => &[Stored::Playlist],
            Self::Seal => &[Stored::Seal],
        }
    }
}

/// Why there is nothing to hear.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// No recording, or one that is still open.
    #[error("there is no closed recording")]
    NotThere,
    /// It was deleted.
    #[error("the recording was deleted")]
    Deleted,
    /// The disk.
    #[error("cannot read {path}: {error}")]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A closed recording that can be heard. Cheap to clone; open it again after a redaction.
#[derive(Clone, Debug)]
pub struct Replay {
    folder: Arc<Path>,
    etag: Arc<str>,
    last_modified: Arc<str>,
    lengths: Arc<[(Stored, u64)]>,
}

impl Replay {
    /// Opens the recording in `folder`; reads its seal's bytes and the files' sizes only.
    pub fn open(folder: &Path) -> Result<Self, ReplayError> {
        if Stored::Tombstone.path(folder).exists() {
            return Err(ReplayError::Deleted);
        }
        let path = Stored::Seal.path(folder);
        let failed = |path: &Path, error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => ReplayError::NotThere,
            _ => ReplayError::Io { path: path.to_owned(), error },
        };
        let seal = std::fs::read(&path).map_err(|error| failed(&path, error))?;
        let changed = std::fs::metadata(&path).and_then(|file| file.modified());
        let changed = changed.map_err(|error| failed(&path, error))?;
        let since_1970 = changed.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let changed = WallTime(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX));
        let mut lengths = Vec::new();
        for stored in Stored::CONTENT {
            // A recording without a word has a seal and nothing else.
            if let Ok(file) = std::fs::metadata(stored.path(folder)) {
                lengths.push((stored, file.len()));
            }
        }
        Ok(Self {
            folder: folder.into(),
            etag: format!("\"{}\"", &to_text(&Sha256::digest(&seal))[..22]).into(),
            last_modified: http_date(changed).into(),
            lengths: lengths.into(),
        })
    }

    /// The bytes of a form; `None` when nothing was recorded.
    pub fn layout(&self, form: Form) -> Option<Layout<Stored>> {
        let extent = |&stored: &Stored| {
            let (_, len) = self.lengths.iter().find(|(known, _)| *known == stored)?;
            Some(Extent::File { file: stored, from: 0, len: *len })
        };
        form.stored().iter().map(extent).collect::<Option<_>>().map(Layout::new)
    }

    /// What conditional requests are compared with.
    pub fn version(&self, form: Form) -> Option<Version> {
        let len = self.layout(form)?.len();
        Some(Version { len, etag: self.etag.to_string(), last_modified: self.last_modified.to_string() })
    }

    /// The bytes `range` of a form, read as they are asked for.
    pub fn stream(
        &self,
        form: Form,
        range: std::ops::Range<u64>,
    ) -> impl Stream<Item = io::Result<Bytes>> + Send + use<> {
        let mut extents = self.layout(form).map(|layout| layout.slice(range)).unwrap_or_default();
        extents.reverse();
        let reading = Reading { folder: Arc::clone(&self.folder), extents, open: None };
        stream::try_unfold(reading, |mut reading| async move {
            Ok(reading.next().await?.map(|bytes| (bytes, reading)))
        })
    }
}

/// A place in a stream of extents, the last of which is next.
struct Reading {
    folder: Arc<Path>,
    extents: Vec<Extent<Stored>>,
    open: Option<(tokio::fs::File, u64)>,
}

impl Reading {
    async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some((file, left)) = &mut self.open {
                if *left > 0 {
                    let mut bytes = vec![0; READ_BYTES.min(usize::try_from(*left).unwrap_or(READ_BYTES))];
                    let read = file.read(&mut bytes).await?;
                    if read == 0 {
                        return Err(io::ErrorKind::UnexpectedEof.into());
                    }
                    bytes.truncate(read);
                    *left -= read as u64;
                    return Ok(Some(bytes.into()));
                }
                self.open = None;
            }
            match self.extents.pop() {
                None => return Ok(None),
                Some(Extent::Bytes(bytes)) => return Ok(Some(bytes)),
                Some(Extent::File { file, from, len }) => {
                    let mut opened = tokio::fs::File::open(file.path(&self.folder)).await?;
                    opened.seek(io::SeekFrom::Start(from)).await?;
                    self.open = Some((opened, len));
                }
            }
        }
    }
}

/// The whole answer to `GET` or `HEAD` of a form: status, headers, body. `None` when nothing was recorded in that form.
pub fn respond(replay: &Replay, form: Form, method: &Method, headers: &HeaderMap) -> Option<Response<Body>> {
    let version = replay.version(form)?;
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let asked = Asked {
        range: if method == Method::GET { text(header::RANGE) } else { None },
        if_range: text(header::IF_RANGE),
        if_none_match: text(header::IF_NONE_MATCH),
        if_modified_since: text(header::IF_MODIFIED_SINCE),
    };
    let response = Response::builder()
        .header(header::ETAG, &version.etag)
        .header(header::LAST_MODIFIED, &version.last_modified)
        .header(header::ACCEPT_RANGES, "bytes")
        .header(header::CACHE_CONTROL, CACHE_CONTROL);
    let len = version.len;
    let (response, range) = match asked.of(&version) {
        Serve::NotModified => (response.status(StatusCode::NOT_MODIFIED), None),
        Serve::Outside => {
            let response = response.status(StatusCode::RANGE_NOT_SATISFIABLE);
            (response.header(header::CONTENT_RANGE, format!("bytes */{len}")), None)
        }
        Serve::Whole => (response.status(StatusCode::OK), Some(0..len)),
        Serve::Part(range) => {
            let shown = format!("bytes {}-{}/{len}", range.start, range.end - 1);
            (response.status(StatusCode::PARTIAL_CONTENT).header(header::CONTENT_RANGE, shown), Some(range))
        }
    };
    let response = match range {
        None => response.body(Body::empty()),
        Some(range) => {
            let response = response
                .header(header::CONTENT_TYPE, form.media_type())
                .header(header::CONTENT_LENGTH, range.end - range.start);
            let is_head = method == Method::HEAD;
            response.body(if is_head { Body::empty() } else { Body::from_stream(replay.stream(form, range)) })
        }
    };
    Some(response.expect("every header is made of plain ASCII"))
}
