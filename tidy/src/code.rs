//! Enough of Rust's grammar to tell code from comments and strings, and tests from the rest.

use std::ops::Range;

/// The same text with every comment, string and character literal turned into spaces; lines and columns stay.
pub fn mask(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut masked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes[at..].starts_with(b"//") => line_end(bytes, at),
            b'/' if bytes[at..].starts_with(b"/*") => block_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !follows_word(bytes, at) => raw_end(bytes, at).unwrap_or(at),
            b'\'' => char_end(bytes, at).unwrap_or(at),
            _ => at,
        };
        for byte in &mut masked[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&masked).into_owned()
}

/// The lines (from 0) of `#[cfg(test)] mod … { … }` in masked text.
pub fn test_lines(masked: &str) -> Vec<Range<usize>> {
    let lines: Vec<_> = masked.lines().collect();
    let mut found = Vec::new();
    let mut line = 0;
    while line < lines.len() {
        let is_module = |text: &str| text.trim_start().starts_with("mod ") && text.contains('{');
        let here = lines[line].trim() == "#[cfg(test)]";
        let module = (line + 1..lines.len().min(line + 4)).find(|&next| is_module(lines[next]));
        match (here, module) {
            (true, Some(module)) => {
                let end = block_lines(&lines, module);
                found.push(line..end);
                line = end;
            }
            (true, None) | (false, _) => line += 1,
        }
    }
    found
}

/// One past the line in which the block that opens at or after `from` closes.
pub fn block_lines(lines: &[&str], from: usize) -> usize {
    let mut depth = 0_usize;
    let mut opened = false;
    for (line, text) in lines.iter().enumerate().skip(from) {
        for byte in text.bytes() {
            match byte {
                b'{' => (depth, opened) = (depth + 1, true),
                b'}' => depth = depth.saturating_sub(1),
                b';' if !opened => return line + 1,
                _ => {}
            }
        }
        if opened && depth == 0 {
            return line + 1;
        }
    }
    lines.len()
}

/// Splits `CamelCase`, `snake_case` and `kebab-case` into lower-case words.
pub fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut was_upper = false;
    for letter in name.chars() {
        let begins = (letter.is_uppercase() && !was_upper) || !letter.is_alphanumeric();
        was_upper = letter.is_uppercase();
        if begins && words.last().is_some_and(|word| !word.is_empty()) {
            words.push(String::new());
        }
        if let (true, Some(word)) = (letter.is_alphanumeric(), words.last_mut()) {
            word.extend(letter.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

fn follows_word(bytes: &[u8], at: usize) -> bool {
    let before = at.checked_sub(1).map(|before| bytes[before]);
    // `br"…"` is a raw string too.
    before.is_some_and(|byte| byte != b'b' && (byte.is_ascii_alphanumeric() || byte == b'_'))
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |length| at + length)
}

fn block_end(bytes: &[u8], mut at: usize) -> usize {
    let mut depth = 0_usize;
    while at < bytes.len() {
        if bytes[at..].starts_with(b"/*") {
            (depth, at) = (depth + 1, at + 2);
        } else if bytes[at..].starts_with(b"*/") {
            (depth, at) = (depth - 1, at + 2);
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut next = at + 1;
    while next < bytes.len() {
        match bytes[next] {
            b'\\' => next += 2,
            b'"' => return next + 1,
            _ => next += 1,
        }
    }
    bytes.len()
}

fn raw_end(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&byte| byte == b'#').count();
    let opens = at + 1 + hashes;
    if bytes.get(opens) != Some(&b'"') {
        return None;
    }
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let body = &bytes[opens + 1..];
    let length = body.windows(closing.len()).position(|window| window == closing)?;
    Some(opens + 1 + length + closing.len())
}

/// `'x'`, `'\n'`, `'\u{1f}'`; `None` for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> Option<usize> {
    let rest = std::str::from_utf8(&bytes[at + 1..bytes.len().min(at + 16)])
        .or_else(|error| std::str::from_utf8(&bytes[at + 1..at + 1 + error.valid_up_to()]));
    let rest = rest.ok()?;
    let mut letters = rest.char_indices();
    match letters.next()?.1 {
        '\\' => {
            let length = rest.char_indices().skip(2).find(|&(_, letter)| letter == '\'')?.0;
            Some(at + 1 + length + 1)
        }
        _ => match letters.next()? {
            (length, '\'') => Some(at + 1 + length + 1),
            _ => None,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_strings_vanish_and_nothing_moves() {
        for (text, masked) in [
            ("a // b\nc", "a     \nc"),
            ("a /* b /* c */ d */ e", "a                   e"),
            (r#"f("x \" {", 1)"#, r"f(        , 1)"),
            ("g(r#\"a\" {\"#)", "g(         )"),
            ("br\"x\" y", "b     y"),
            ("if c == '{' {", "if c ==     {"),
            (r"'\'' '\u{7f}' z", "              z"),
            ("fn f<'a>(x: &'a str) {", "fn f<'a>(x: &'a str) {"),
            ("'é' x", "     x"),
            ("for r in \"q\" {}", "for r in     {}"),
        ] {
            assert_eq!(mask(text), masked, "{text}");
        }
    }

    #[test]
    fn tests_are_found_by_their_braces() {
        let text = "fn a() {}\n#[cfg(test)]\nmod tests {\n    fn b() {}\n}\nfn c() {}\n";
        assert_eq!(test_lines(text).first(), Some(&(1..5)));
        assert_eq!(test_lines("#[cfg(test)]\nmod tests;\nfn c() {\n}\n"), []);
    }

    #[test]
    fn names_fall_into_words() {
        for (name, parts) in [
            ("RoomManager", vec!["room", "manager"]),
            ("part_no", vec!["part", "no"]),
            ("http-util.rs", vec!["http", "util", "rs"]),
            ("LAG_MS", vec!["lag", "ms"]),
        ] {
            assert_eq!(words(name), parts);
        }
    }
}
