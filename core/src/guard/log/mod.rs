//! One line of an access log: Common or Combined as Apache and nginx write them (with a name before the
//! address too), or a JSON object.

mod json;
mod text;

use std::borrow::Cow;

/// Bytes of a line that are looked at.
pub const LINE_BYTES_MAX: usize = 16_384;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry<'a> {
    /// When it was written down, milliseconds since 1970 in UTC.
    pub at_ms: i64,
    /// Who asked, as the log has it.
    pub remote: Cow<'a, str>,
    /// What was asked for; the whole request line when it is none.
    pub target: Cow<'a, str>,
    /// The HTTP status; 0 when the log has none.
    pub status: u16,
    /// Bytes of the answer.
    pub bytes: u64,
    /// How long the answer took, in milliseconds, where the log says it.
    pub took_ms: Option<u32>,
    /// Whether all of it was taken.
    pub taken: Taken,
    /// What the program that asked calls itself.
    pub agent: Cow<'a, str>,
}

/// Whether an answer was taken to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// All of it.
    Whole,
    /// They left before.
    Broken,
    /// The log does not say.
    Unsaid,
}

/// Why a line is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Skipped {
    /// Nothing is in it.
    #[error("empty")]
    Empty,
    /// Longer than [`LINE_BYTES_MAX`].
    #[error("longer than 16 kB")]
    TooLong,
    /// It is no line of a log that we know.
    #[error("not an access log's line")]
    Malformed,
    /// Its time cannot be.
    #[error("out of order")]
    OutOfOrder,
}

/// Reads a line, without its end.
///
/// # Errors
/// Why it cannot be counted.
pub fn read(line: &[u8]) -> Result<Entry<'_>, Skipped> {
    let line = line.trim_ascii();
    match line.first() {
        None => Err(Skipped::Empty),
        Some(_) if line.len() > LINE_BYTES_MAX => Err(Skipped::TooLong),
        Some(b'{') => json::read(line).ok_or(Skipped::Malformed),
        Some(_) => text::read(line).ok_or(Skipped::Malformed),
    }
}

#[cfg(test)]
mod tests;
