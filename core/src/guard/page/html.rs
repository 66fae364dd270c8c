//! The page around what it says: its head, its style, sections and tables.

use std::fmt::Write;

/// The style of every page written here, for screens light and dark, phones and paper.
const STYLE: &str = include_str!("style.css");
/// Patterns, so that colour is not the only sign, and the page's own sign.
const PATTERNS: &str = include_str!("patterns.svg");
/// The node's sign, as on its other pages, in base64: a page names no address, not even that of a standard.
const ICON: &str = "\
    PHN2ZyB4bWxucz0naHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmcnIHZpZXdCb3g9JzAgMCAxNiAxNic+\
    PHBhdGggZD0nTTIgMTNhNiA2IDAgMCAxIDEyIDAnIGZpbGw9J25vbmUnIHN0cm9rZT0nIzg4OCcgc3Ry\
    b2tlLXdpZHRoPScxLjQnLz48Y2lyY2xlIGN4PSc4JyBjeT0nMTInIHI9JzIuNicgZmlsbD0nI2IzMjYx\
    ZScvPjwvc3ZnPg==";

/// A whole page; title and body are HTML already.
pub fn page(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<meta \
         http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; \
         img-src data:; base-uri 'none'; form-action 'none'\">\n<meta name=\"viewport\" \
         content=\"width=device-width,initial-scale=1\">\n<meta name=\"color-scheme\" content=\"light \
         dark\">\n<meta name=\"referrer\" content=\"no-referrer\"><meta name=\"robots\" \
         content=\"noindex\">\n<title>{title}</title>\n<link rel=\"icon\" \
         href=\"data:image/svg+xml;base64,{ICON}\">\n<style>\n{STYLE}</style></head>\n<body>\
         {PATTERNS}{body}</body></html>\n"
    )
}

/// A part of a page under its heading.
pub fn section(id: &str, title: &str, body: &str) -> String {
    format!(
        "\n<section id=\"{id}\" aria-labelledby=\"{id}-h\"><h2 id=\"{id}-h\">{title}</h2>{body}</section>"
    )
}

/// A table whose cells are HTML already. The first column that has a name heads its row.
pub fn table(caption: &str, columns: &[&str], rows: &[Vec<String>], class: &str) -> String {
    let mut text = format!(
        "<div class=\"scroll\" role=\"group\" tabindex=\"0\" \
         aria-label=\"A table that may be wider than the page\"><table \
         class=\"{class}\"><caption>{caption}</caption><thead><tr>"
    );
    let heads = columns.iter().position(|name| !name.is_empty());
    for name in columns {
        let _ = match *name {
            "" => write!(text, "<td></td>"),
            name => write!(text, "<th scope=\"col\">{name}</th>"),
        };
    }
    text.push_str("</tr></thead><tbody>");
    for row in rows {
        text.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let _ = match heads == Some(at) {
                true => write!(text, "<th scope=\"row\">{cell}</th>"),
                false => write!(text, "<td>{cell}</td>"),
            };
        }
        text.push_str("</tr>");
    }
    text + "</tbody></table></div>"
}

/// What belongs to a plot: its title, what it shows, the meaning of its colours, the plot.
pub fn figure((title, says): (&str, &str), key: &[(&str, &str)], plot: &str) -> String {
    let key: String =
        key.iter().map(|(class, says)| format!("<li><i class=\"swatch {class}\"></i>{says}</li>")).collect();
    let key = if key.is_empty() { key } else { format!("<ul class=\"key\">{key}</ul>") };
    format!("<figure><figcaption><h3>{title}</h3><p>{says}</p>{key}</figcaption>{plot}</figure>")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_style_reaches_for_nothing() {
        for outside in ["http:", "https:", "@import", "//", "</"] {
            assert!(!STYLE.contains(outside), "{outside}");
        }
        assert!(!STYLE.replace("url(#", "").contains("url("), "only what is on the page");
    }

    #[test]
    fn a_table_has_its_caption_and_its_heads() {
        let text = table("Two", &["", "Name"], &[vec!["1".into(), "a".into()]], "t");
        assert!(
            text.contains("<caption>Two</caption>") && text.contains("<th scope=\"row\">a</th>"),
            "{text}"
        );
        assert!(text.contains("<td></td><th scope=\"col\">Name</th>"), "{text}");
    }
}
