//! `docs/refusals.md` for people, `core/src/reason/table.rs` for the program: one table, written twice by a
//! machine.

use std::fmt::Write as _;

use tribune_core::reason::{Fault, Refusal};

use crate::{Finding, Source};

/// Where the page lies.
pub const PATH: &str = "docs/refusals.md";

/// The page is what the table says.
pub fn page(files: &[Source]) -> Vec<Finding> {
    let wanted = written();
    let Some(page) = files.iter().find(|file| file.path == PATH) else {
        let says = "this page is missing: `make docs` writes it.";
        return vec![Finding { path: PATH.to_owned(), line: 0, says: says.to_owned() }];
    };
    let same = page.text.lines().zip(wanted.lines()).take_while(|(have, want)| have == want).count();
    if page.text == wanted {
        return Vec::new();
    }
    vec![Finding::new(page, same + 1, "this is not what core/src/reason/table.rs says: run `make docs`.")]
}

/// The page, from the table.
pub fn written() -> String {
    let mut page = String::from(
        "# Refusals\n\n\
         Every refusal has one row. The body of an answer is `{\"code\", \"message\", \"retry_after_s\", \
         \"request_id\"}`; `code` never changes\nits meaning. A retry of 0 means: do not come back with the \
         same request.\n\n\
         This page is written from `core/src/reason/table.rs` by `make docs`.\n\n\
         | code | status | fault | retry after (s) | what a person reads |\n|---|---|---|---|---|\n",
    );
    for refusal in Refusal::ALL {
        let row = refusal.row();
        let fault = match row.fault {
            Fault::Theirs => "theirs",
            Fault::Ours => "ours",
            Fault::Nobody => "nobody's",
        };
        let _infallible = writeln!(
            page,
            "| `{}` | {} | {fault} | {} | {} |",
            row.code, row.status, row.retry_after_s, row.says
        );
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_that_has_aged_is_found() {
        assert_eq!(page(&[Source::new(PATH, written())]), []);
        let aged = written().replace("503", "500");
        assert!(page(&[Source::new(PATH, aged)])[0].line > 8);
        assert_eq!(page(&[]).len(), 1);
        assert_eq!(page(&[Source::new(PATH, "")])[0].line, 1);
    }
}
