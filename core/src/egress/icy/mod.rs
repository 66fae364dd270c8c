//! Titles between the bytes of a stream, as SHOUTcast and Icecast send them to players that ask with
//! `Icy-MetaData: 1`.
//!
//! After every [`METAINT_BYTES`] of sound comes a byte that says how long the title block is, in units of 16
//! bytes: 0 while the title stays as it is.

use bytes::Bytes;

/// Bytes of sound between two title blocks; announced in the answer as `icy-metaint`.
pub const METAINT_BYTES: usize = 16_000;
/// The longest title block there is room for, in bytes: 255 times 16.
const BLOCK_BYTES_MAX: usize = 4_080;

/// One player's stream with titles.
#[derive(Clone, Debug)]
pub struct Icy {
    until_block: usize,
    title: String,
    shown: Option<String>,
}

impl Icy {
    /// A stream that will show `title` at its first block.
    pub fn new(title: &str) -> Self {
        Self { until_block: METAINT_BYTES, title: fit(title), shown: None }
    }

    /// Shows `title` from the next block on.
    pub fn retitle(&mut self, title: &str) {
        self.title = fit(title);
    }

    /// Lays blocks between the bytes of `sound`; the pieces in `out` are to be sent in order. The sound is
    /// shared, not copied.
    pub fn interleave(&mut self, mut sound: Bytes, out: &mut Vec<Bytes>) {
        while sound.len() >= self.until_block {
            out.push(sound.split_to(self.until_block));
            out.push(self.block());
            self.until_block = METAINT_BYTES;
        }
        self.until_block -= sound.len();
        if !sound.is_empty() {
            out.push(sound);
        }
    }

    fn block(&mut self) -> Bytes {
        if self.shown.as_ref() == Some(&self.title) {
            return Bytes::from_static(&[0]);
        }
        self.shown = Some(self.title.clone());
        let text = format!("{BEFORE}{}{AFTER}", self.title);
        let units = text.len().div_ceil(16);
        let mut block = Vec::with_capacity(1 + units * 16);
        block.push(units as u8);
        block.extend_from_slice(text.as_bytes());
        block.resize(1 + units * 16, 0);
        block.into()
    }
}

const BEFORE: &str = "StreamTitle='";
const AFTER: &str = "';";

/// The title as a block can hold it: players end it at the first `';`, so quotes become apostrophes, and
/// control characters go.
fn fit(title: &str) -> String {
    let mut fitted = String::new();
    for letter in title.chars().filter(|letter| !letter.is_control()) {
        let letter = if letter == '\'' { '’' } else { letter };
        if BEFORE.len() + fitted.len() + letter.len_utf8() + AFTER.len() > BLOCK_BYTES_MAX {
            break;
        }
        fitted.push(letter);
    }
    fitted
}

#[cfg(test)]
mod tests;
