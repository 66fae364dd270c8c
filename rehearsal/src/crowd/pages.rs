//! Follows the Ogg pages of a listener's stream without keeping them (RFC 3533, section 6).

/// What every page begins with.
const BEGIN: &[u8] = b"OggS";
const HEAD_BYTES: usize = 27;
/// Where a page says its number.
const NUMBER_AT: usize = 18;
/// The first two pages are the stream's headers: what is heard begins with whatever is played then.
const HEADERS: u32 = 2;

/// Where one stream is.
#[derive(Debug, Default)]
pub(crate) struct Pages {
    head: Vec<u8>,
    /// Bytes of the page's body that are still to come.
    body: usize,
    number: Option<u32>,
    /// Whole pages with sound.
    pub heard: u64,
    /// Pages that were left out between two.
    pub missing: u64,
    /// What came is no Ogg.
    pub is_broken: bool,
}

impl Pages {
    /// The next bytes of the stream; how many pages they finished.
    pub fn take(&mut self, mut bytes: &[u8]) -> u64 {
        let before = self.heard;
        while !bytes.is_empty() && !self.is_broken {
            if self.body > 0 {
                let skipped = self.body.min(bytes.len());
                self.body -= skipped;
                bytes = &bytes[skipped..];
                if self.body == 0 {
                    self.finish();
                }
                continue;
            }
            let taken = (self.wanted() - self.head.len()).min(bytes.len());
            self.head.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
            let known = self.head.len().min(BEGIN.len());
            self.is_broken = self.head[..known] != BEGIN[..known];
            if self.head.len() >= HEAD_BYTES && self.head.len() == self.wanted() && !self.is_broken {
                self.body = self.head[HEAD_BYTES..].iter().map(|lace| usize::from(*lace)).sum();
                if self.body == 0 {
                    self.finish();
                }
            }
        }
        self.heard - before
    }

    /// How long the head is, as far as it is known.
    fn wanted(&self) -> usize {
        HEAD_BYTES + self.head.get(HEAD_BYTES - 1).map_or(0, |laces| usize::from(*laces))
    }

    fn finish(&mut self) {
        let number: [u8; 4] = std::array::from_fn(|at| self.head[NUMBER_AT + at]);
        let number = u32::from_le_bytes(number);
        self.head.clear();
        if number < HEADERS {
            return;
        }
        if let Some(before) = self.number {
            self.missing += u64::from(number.wrapping_sub(before).wrapping_sub(1));
        }
        (self.number, self.heard) = (Some(number), self.heard + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(number: u32, body: usize) -> Vec<u8> {
        let mut page = b"OggS".to_vec();
        page.resize(NUMBER_AT, 0);
        page.extend(number.to_le_bytes());
        page.extend([0; 4]);
        page.push((body / 255 + 1) as u8);
        page.extend(std::iter::repeat_n(255, body / 255));
        page.push((body % 255) as u8);
        page.resize(page.len() + body, 7);
        page
    }

    #[test]
    fn pages_are_followed_however_they_are_cut() {
        let stream: Vec<u8> =
            [(0, 19), (1, 0), (70, 600), (71, 255), (74, 3)].iter().flat_map(|&(n, b)| page(n, b)).collect();
        for chunk in [1, 7, 27, 300, stream.len()] {
            let mut pages = Pages::default();
            let told: u64 = stream.chunks(chunk).map(|bytes| pages.take(bytes)).sum();
            assert_eq!((told, pages.heard, pages.missing, pages.is_broken), (3, 3, 2, false), "{chunk}");
        }
        let mut pages = Pages::default();
        pages.take(b"HTTP/1.1 200 OK, and no page at all");
        assert!(pages.is_broken);
    }
}
