//! A piece of an answer without a known end, in HTTP/1.1's chunked coding (RFC 9112, section 7.1): its length
//! in hexadecimal digits, itself, and a line's end around both.

use bytes::{BufMut, Bytes, BytesMut};

/// Digits of a length, and the line ends.
const AROUND_BYTES: usize = 16 + 4;
/// What says that an answer is whole.
pub(super) const LAST: &[u8] = b"0\r\n\r\n";

/// Several pieces as one chunk; empty when there is nothing in them, since an empty chunk is the last.
pub(super) fn chunk<'p>(pieces: impl Iterator<Item = &'p Bytes> + Clone) -> Bytes {
    let length: usize = pieces.clone().map(Bytes::len).sum();
    let mut chunk = BytesMut::with_capacity(length + AROUND_BYTES);
    put(&mut chunk, pieces);
    chunk.freeze()
}

/// The same after bytes that are there already.
pub(super) fn put<'p>(into: &mut BytesMut, pieces: impl Iterator<Item = &'p Bytes> + Clone) {
    let length: usize = pieces.clone().map(Bytes::len).sum();
    if length == 0 {
        return;
    }
    into.put_slice(format!("{length:x}\r\n").as_bytes());
    for piece in pieces {
        into.put_slice(piece);
    }
    into.put_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_is_its_length_and_itself() {
        let pieces = [Bytes::from_static(b"0123456789abcdef"), Bytes::from_static(b"!")];
        assert_eq!(chunk(pieces.iter()), "11\r\n0123456789abcdef!\r\n");
        assert_eq!(chunk([Bytes::new()].iter()), "", "it would end the answer");
    }
}
