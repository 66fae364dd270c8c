//! What a source says it is playing: artist and title, short and fit to be shown to anybody.
//!
//! The text comes from outside and goes to every listener, into logs and into players' displays, so control
//! characters and the invisible marks that reorder text are taken out, and the length is bounded.

/// Bytes of UTF-8 kept of an artist or a title.
pub const TITLE_BYTES_MAX: usize = 512;

/// Artist and title; either may be missing, both missing means that nothing is named any more.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Title {
    /// Who is heard.
    pub artist: Option<String>,
    /// What is heard.
    pub title: Option<String>,
}

impl Title {
    /// Cleans both texts; what is empty afterwards counts as missing.
    pub fn new(artist: &str, title: &str) -> Self {
        Self { artist: clean(artist), title: clean(title) }
    }

    /// One line for a player: `artist - title`, or the one that is there, or an empty text.
    pub fn line(&self) -> String {
        match (&self.artist, &self.title) {
            (Some(artist), Some(title)) => format!("{artist} - {title}"),
            (Some(one), None) | (None, Some(one)) => one.clone(),
            (None, None) => String::new(),
        }
    }
}

/// The text without control and reordering characters, white space made single, cut to `TITLE_BYTES_MAX`
/// bytes; `None` if empty.
pub fn clean(text: &str) -> Option<String> {
    let mut kept = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        let gap = usize::from(!kept.is_empty());
        for (nth, c) in word.chars().filter(|&c| !reorders(c)).enumerate() {
            let gap = if nth == 0 { gap } else { 0 };
            if kept.len() + gap + c.len_utf8() > TITLE_BYTES_MAX {
                return Some(kept);
            }
            if gap == 1 {
                kept.push(' ');
            }
            kept.push(c);
        }
    }
    Some(kept).filter(|kept| !kept.is_empty())
}

/// Marks that change the direction of the text around them, and the byte order mark (Unicode Annex 9).
const fn reorders(c: char) -> bool {
    matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_be_shown_is_kept() {
        for (text, kept) in [
            ("Anna Meyer", Some("Anna Meyer")),
            ("  two\r\n\tlines\u{0} ", Some("two lines")),
            ("a\u{202e}b\u{2066}c\u{feff}", Some("abc")),
            ("\u{7f}\u{85}\u{1b}", None),
            ("", None),
            ("\u{202e}", None),
            ("Žižek · 会話", Some("Žižek · 会話")),
        ] {
            assert_eq!(clean(text).as_deref(), kept, "{text:?}");
        }
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let kept = clean(&"é".repeat(1_000)).expect("not empty");
        assert_eq!(kept.len(), TITLE_BYTES_MAX);
        let kept = clean(&format!("x{}", "é".repeat(1_000))).expect("not empty");
        assert_eq!(kept.len(), TITLE_BYTES_MAX - 1);
        let words = clean(&"ab ".repeat(1_000)).expect("not empty");
        assert!(words.len() <= TITLE_BYTES_MAX && !words.ends_with(' '));
    }

    #[test]
    fn one_line_names_what_is_there() {
        for (artist, title, line) in [("A", "T", "A - T"), ("", "T", "T"), ("A", "", "A"), ("", "\n", "")] {
            assert_eq!(Title::new(artist, title).line(), line);
        }
    }
}
