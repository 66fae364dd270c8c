//! Takes the chunks of an HTTP/1.1 body apart without keeping them (RFC 9112, section 7.1).

/// Where one body is.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) enum Chunks {
    /// The size of the next chunk is being read, in hexadecimal.
    #[default]
    Begin,
    Size(usize),
    /// Extensions are skipped to the end of the line.
    Line(usize),
    /// So many bytes of the chunk are still to come, then an empty line.
    Data(usize),
    /// The last chunk has come, or what came is none.
    Over,
}

impl Chunks {
    /// Gives the data in `bytes`, piece by piece.
    pub fn take(&mut self, mut bytes: &[u8], mut data: impl FnMut(&[u8])) {
        while let Some((first, rest)) = bytes.split_first() {
            *self = match *self {
                Self::Data(left) if left > 2 => {
                    let here = (left - 2).min(bytes.len());
                    data(&bytes[..here]);
                    bytes = &bytes[here..];
                    *self = Self::Data(left - here);
                    continue;
                }
                Self::Data(2) => Self::Data(1),
                Self::Data(_) => Self::Begin,
                Self::Begin => Self::Size(0).read(*first),
                Self::Size(size) => Self::Size(size).read(*first),
                Self::Line(0) if *first == b'\n' => Self::Over,
                Self::Line(size) if *first == b'\n' => Self::Data(size.saturating_add(2)),
                Self::Line(size) => Self::Line(size),
                Self::Over => return,
            };
            bytes = rest;
        }
    }

    /// Whether nothing more can come.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Over)
    }

    fn read(self, byte: u8) -> Self {
        let Self::Size(size) = self else { return Self::Over };
        match (byte as char).to_digit(16) {
            Some(digit) => size.checked_mul(16).map_or(Self::Over, |size| Self::Size(size + digit as usize)),
            None if byte == b';' || byte == b'\r' => Self::Line(size),
            None => Self::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_taken_apart_however_they_are_cut() {
        let body = b"4\r\nOggS\r\n1b;name=x\r\nabcdefghijklmnopqrstuvwxyz!\r\n0\r\n\r\nmore";
        for cut in [1, 2, 5, body.len()] {
            let (mut chunks, mut all) = (Chunks::default(), Vec::new());
            body.chunks(cut).for_each(|bytes| chunks.take(bytes, |data| all.extend_from_slice(data)));
            assert_eq!(
                (&all[..], chunks.is_over()),
                (&b"OggSabcdefghijklmnopqrstuvwxyz!"[..], true),
                "{cut}"
            );
        }
        for wrong in [&b"OggS"[..], b"ffffffffffffffffffff\r\n", b"\n"] {
            let mut chunks = Chunks::default();
            chunks.take(wrong, |_| {});
            assert!(chunks.is_over(), "{wrong:?}");
        }
    }
}
