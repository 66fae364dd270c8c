//! Long lines hide their end, long functions their beginning, long files their subject.

use crate::code::{block_lines, mask, test_lines};
use crate::{Finding, Source};

const LINE_COLUMNS_MAX: usize = 110;
const FUNCTION_LINES_MAX: usize = 70;
/// A table with a row for each variant is read by the row: its length is the number of rows.
const TABLES: [(&str, &str); 1] = [("core/src/reason/table.rs", "row")];
const FILE_LINES_MAX: usize = 500;
const FILE_WITH_TESTS_LINES_MAX: usize = 800;

/// No line of Rust or TypeScript is wider than 110 columns.
pub fn lines(files: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is("rs") || file.is("ts")) {
        for (at, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            if columns > LINE_COLUMNS_MAX {
                let says = format!("{columns} columns: break the line at {LINE_COLUMNS_MAX}.");
                found.push(Finding::new(file, at + 1, says));
            }
        }
    }
    found
}

/// No function is longer than 70 lines, tests included.
pub fn functions(files: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is("rs")) {
        let masked = mask(&file.text);
        let lines: Vec<_> = masked.lines().collect();
        for (at, line) in lines.iter().enumerate() {
            let Some(name) = function_name(line) else { continue };
            let length = block_lines(&lines, at) - at;
            if length > FUNCTION_LINES_MAX && !TABLES.contains(&(file.path.as_str(), name)) {
                let says = format!(
                    "`{name}` has {length} lines: split it where it changes its subject (70 at most)."
                );
                found.push(Finding::new(file, at + 1, says));
            }
        }
    }
    found
}

/// No file has more than 500 lines of code, or 800 with its tests.
pub fn files(files: &[Source]) -> Vec<Finding> {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| file.is("rs")) {
        let all = file.text.lines().count();
        let tests: usize = test_lines(&mask(&file.text)).iter().map(ExactSizeIterator::len).sum();
        let code = if file.is_test() { 0 } else { all - tests };
        if code > FILE_LINES_MAX {
            let says =
                format!("{code} lines of code: a second subject wants a file of its own (500 at most).");
            found.push(Finding::new(file, 0, says));
        }
        if all > FILE_WITH_TESTS_LINES_MAX {
            let says =
                format!("{all} lines with tests: move the tests to `tests.rs` beside it (800 at most).");
            found.push(Finding::new(file, 0, says));
        }
    }
    found
}

fn function_name(masked_line: &str) -> Option<&str> {
    const BEFORE: [&str; 7] = ["pub", "pub(crate)", "pub(super)", "const", "async", "unsafe", "extern"];
    let mut pieces = masked_line.split_whitespace().skip_while(|word| BEFORE.contains(word));
    if pieces.next() != Some("fn") {
        return None;
    }
    pieces.next()?.split(['(', '<']).next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_line_is_found() {
        let wide = format!("// {}\nshort\n", "x".repeat(108));
        let found = lines(&[Source::new("core/src/a.rs", wide)]);
        assert_eq!(found.iter().map(|finding| finding.line).collect::<Vec<_>>(), [1]);
        assert_eq!(lines(&[Source::new("core/src/a.rs", format!("// {}", "é".repeat(107)))]), []);
    }

    #[test]
    fn a_long_function_is_found_whatever_its_strings_hold() {
        let long =
            format!("pub async fn long(a: u8) {{\n{}}}\nfn short() {{}}\n", "    f(\"}\");\n".repeat(69));
        let found = functions(&[Source::new("core/src/a.rs", long)]);
        assert_eq!(found.len(), 1);
        assert!(found[0].says.contains("`long` has 71 lines"), "{}", found[0]);
        assert_eq!(functions(&[Source::new("a.rs", "trait T {\n    fn f(&self);\n}\n")]), []);
    }

    #[test]
    fn a_long_file_is_found_without_and_with_its_tests() {
        let code = "fn f() {}\n".repeat(450);
        let tests = |lines: usize| format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "    // t\n".repeat(lines));
        for (text, count) in [
            (code.clone() + &tests(300), 0),
            (code.clone() + &tests(400), 1),
            (code.clone() + &code, 2),
            ("fn f() {}\n".repeat(501), 1),
        ] {
            assert_eq!(files(&[Source::new("core/src/a.rs", text)]).len(), count);
        }
        assert_eq!(files(&[Source::new("core/src/a/tests.rs", "fn f() {}\n".repeat(700))]), []);
    }
}
