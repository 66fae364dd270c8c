//! The comment header that Vorbis and Opus share: artist and title among vendor, pictures and whatever else
//! is in it.
//!
//! Vorbis I specification, section 5; RFC 7845, section 5.2 (the same, after another magic). A header cut
//! short, because it was too large to keep, still gives the comments that lie before the cut.

use super::title::{TITLE_BYTES_MAX, Title};

/// Comments read at most; more are ignored.
pub const COMMENTS_MAX: usize = 1_024;

/// Artist and title in `body`, the header after its magic. Damage ends the reading, never fails it.
pub fn title(body: &[u8]) -> Title {
    let (mut artist, mut title) = (String::new(), String::new());
    let mut rest = body;
    let Some(_vendor) = field(&mut rest) else {
        return Title::default();
    };
    let Some(count) = number(&mut rest) else {
        return Title::default();
    };
    for _ in 0..(count as usize).min(COMMENTS_MAX) {
        let Some(comment) = field(&mut rest) else {
            break;
        };
        let Some(equals) = comment.iter().position(|&byte| byte == b'=') else {
            continue;
        };
        let (name, value) = (&comment[..equals], &comment[equals + 1..]);
        if name.eq_ignore_ascii_case(b"ARTIST") {
            append(&mut artist, value);
        } else if name.eq_ignore_ascii_case(b"TITLE") {
            append(&mut title, value);
        }
    }
    Title::new(&artist, &title)
}

/// Several comments of one name are several artists or a title in several parts.
fn append(text: &mut String, value: &[u8]) {
    if text.len() >= TITLE_BYTES_MAX {
        return;
    }
    if !text.is_empty() {
        text.push_str(", ");
    }
    text.push_str(&String::from_utf8_lossy(&value[..value.len().min(2 * TITLE_BYTES_MAX)]));
}

fn number(rest: &mut &[u8]) -> Option<u32> {
    let (head, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    Some(u32::from_le_bytes(*head))
}

fn field<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let bytes = number(rest)? as usize;
    let (head, tail) = rest.split_at_checked(bytes)?;
    *rest = tail;
    Some(head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(comments: &[&[u8]]) -> Vec<u8> {
        let mut body = vec![3, 0, 0, 0, b'x', b'y', b'z'];
        body.extend((comments.len() as u32).to_le_bytes());
        for comment in comments {
            body.extend((comment.len() as u32).to_le_bytes());
            body.extend_from_slice(comment);
        }
        body
    }

    #[test]
    fn artist_and_title_are_found_whatever_their_case() {
        for (comments, line) in [
            (vec![b"TITLE=Debate".as_slice(), b"ARTIST=Anna"], "Anna - Debate"),
            (vec![b"artist=Anna", b"Artist=Ben", b"genre=Talk"], "Anna, Ben"),
            (vec![b"no equals sign", b"title=a=b"], "a=b"),
            (vec![b"title=\xff\xfe"], "\u{fffd}\u{fffd}"),
            (vec![], ""),
        ] {
            assert_eq!(title(&header(&comments)).line(), line);
        }
    }

    #[test]
    fn a_header_cut_anywhere_gives_what_lies_before_the_cut() {
        let whole = header(&[b"TITLE=Debate", b"ARTIST=Anna"]);
        for cut in 0..whole.len() {
            let found = title(&whole[..cut]).line();
            assert!(["", "Debate"].contains(&found.as_str()), "{cut}: {found}");
        }
        assert_eq!(title(&[255; 64]), Title::default());
    }
}
