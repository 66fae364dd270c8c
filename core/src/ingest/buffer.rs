//! Bytes that have come and are not yet understood.

/// Bytes left behind the reading place before they are thrown away.
const SLACK_BYTES_MAX: usize = 65_536;

/// A queue of bytes that is read as a slice.
#[derive(Debug, Default)]
pub struct Buffer {
    bytes: Vec<u8>,
    read: usize,
}

impl Buffer {
    /// Appends what came.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.read == self.bytes.len() || self.read > SLACK_BYTES_MAX {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// What waits.
    pub fn waiting(&self) -> &[u8] {
        &self.bytes[self.read..]
    }

    /// Gives up the first `bytes` of what waits, or all of it.
    pub fn consume(&mut self, bytes: usize) {
        self.read = (self.read + bytes).min(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_queue_and_forgets_what_was_read() {
        let mut buffer = Buffer::default();
        let mut next = 0_u8;
        for round in 0..2_000 {
            buffer.push(&[round as u8; 100]);
            for _ in 0..100 {
                assert_eq!(buffer.waiting()[0], next);
                buffer.consume(1);
            }
            next = next.wrapping_add(1);
            assert!(buffer.bytes.len() <= SLACK_BYTES_MAX + 200);
        }
        buffer.consume(7);
        assert!(buffer.waiting().is_empty());
    }
}
