//! ID3 tags around and between frames of MP3 and AAC: found and passed over.

/// The longest ID3v2 tag that is passed over, in bytes; what claims to be longer is taken for damage.
pub const TAG_BYTES_MAX: u64 = 16_777_216;
/// The whole of an ID3v1 tag.
const V1_BYTES: u64 = 128;
/// The head of an ID3v2 tag, and as much again if it has a foot.
const V2_HEAD_BYTES: u64 = 10;

/// What the first bytes say about a tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// None here.
    Absent,
    /// It takes more bytes to know.
    Unclear,
    /// A tag of so many bytes.
    Bytes(u64),
}

/// Looks for an ID3v1 or ID3v2 (2.2 to 2.4) tag at the very beginning of `bytes`.
pub fn look(bytes: &[u8]) -> Tag {
    let begins = |magic: &[u8; 3]| bytes.starts_with(&magic[..bytes.len().min(3)]);
    if bytes.is_empty() || !(begins(b"ID3") || begins(b"TAG")) {
        return Tag::Absent;
    }
    if bytes.len() < 3 {
        return Tag::Unclear;
    }
    if begins(b"TAG") {
        return Tag::Bytes(V1_BYTES);
    }
    let Some(&[major, minor, flags, s3, s2, s1, s0]) = bytes.get(3..10).and_then(|rest| rest.first_chunk())
    else {
        return Tag::Unclear;
    };
    let sizes = [s3, s2, s1, s0];
    if !(2..=4).contains(&major) || minor == 0xff || sizes.iter().any(|&size| size >= 0x80) {
        return Tag::Absent;
    }
    let body = sizes.iter().fold(0, |body, &size| body << 7 | u64::from(size));
    let foot = if flags & 0x10 == 0 { 0 } else { V2_HEAD_BYTES };
    match V2_HEAD_BYTES + body + foot {
        too_long if too_long > TAG_BYTES_MAX => Tag::Absent,
        bytes => Tag::Bytes(bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_known_by_their_head() {
        for (bytes, tag) in [
            (&b"ID3\x04\x00\x00\x00\x00\x02\x01rest"[..], Tag::Bytes(10 + 257)),
            (b"ID3\x03\x00\x10\x00\x00\x00\x05", Tag::Bytes(25)),
            (b"ID3\x03\x00\x00\x7f\x7f\x7f\x7f", Tag::Absent),
            (b"ID3\x03\x00\x00\x80\x00\x00\x00", Tag::Absent),
            (b"ID3\x09\x00\x00\x00\x00\x00\x00", Tag::Absent),
            (b"ID3\x03", Tag::Unclear),
            (b"I", Tag::Unclear),
            (b"TA", Tag::Unclear),
            (b"TAG", Tag::Bytes(128)),
            (b"\xff\xfb", Tag::Absent),
            (b"", Tag::Absent),
        ] {
            assert_eq!(look(bytes), tag, "{bytes:x?}");
        }
    }
}
