//! The page's template language, as `web/door/fill.ts` has it: `{{name}}` escaped text, `{{&name}}` trusted
//! text, `{{#name}}…{{/name}}` if there is something (once for each element of a list), `{{^name}}…{{/name}}`
//! if there is nothing.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Fills `template` with `values`. A name without a value is nothing.
///
/// Templates are ours and built in; a section that is not closed reaches to the end.
pub(super) fn fill(template: &str, values: &Map<String, Value>) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    fill_into(&mut out, template, &[values]);
    out
}

fn fill_into(out: &mut String, template: &str, scopes: &[&Map<String, Value>]) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let (tag, after) = after.split_once("}}").unwrap_or((after, ""));
        rest = after;
        match tag.split_at_checked(1) {
            Some((kind @ ("#" | "^"), name)) => {
                let close = format!("{{{{/{name}}}}}");
                let (inside, after) = rest.split_once(close.as_str()).unwrap_or((rest, ""));
                rest = after;
                section(out, inside, (kind == "#", lookup(scopes, name)), scopes);
            }
            Some(("&", name)) => out.push_str(&text(lookup(scopes, name))),
            Some(_) | None => escape_into(out, &text(lookup(scopes, tag))),
        }
    }
    out.push_str(rest);
}

fn section(
    out: &mut String,
    inside: &str,
    (wanted, value): (bool, Option<&Value>),
    scopes: &[&Map<String, Value>],
) {
    match value {
        Some(Value::Array(list)) if wanted => {
            for one in list.iter().filter_map(Value::as_object) {
                fill_into(out, inside, &[&[one], scopes].concat());
            }
        }
        value if is_something(value) == wanted => fill_into(out, inside, scopes),
        _ => {}
    }
}

fn is_something(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => false,
        Some(Value::Bool(yes)) => *yes,
        Some(Value::String(text)) => !text.is_empty(),
        Some(Value::Array(list)) => !list.is_empty(),
        Some(Value::Number(_) | Value::Object(_)) => true,
    }
}

fn lookup<'a>(scopes: &[&'a Map<String, Value>], name: &str) -> Option<&'a Value> {
    scopes.iter().find_map(|scope| scope.get(name))
}

fn text(value: Option<&Value>) -> Cow<'_, str> {
    match value {
        Some(Value::String(text)) => Cow::Borrowed(text),
        Some(Value::Number(number)) => Cow::Owned(number.to_string()),
        None | Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) => Cow::Borrowed(""),
    }
}

fn escape_into(out: &mut String, text: &str) {
    for mark in text.chars() {
        match mark {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '{' => out.push_str("&#123;"),
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::fill;

    #[test]
    fn sections_lists_and_escapes() {
        let values = json!({
            "yes": true, "no": false, "empty": "", "title": "<b>{{yes}}</b> & 'co'", "raw": "<i>",
            "list": [{"at": "20:00"}, {"at": "20:18", "title": "own"}],
        });
        let values = values.as_object().expect("an object");
        for (template, expected) in [
            ("a{{#yes}}b{{/yes}}c", "abc"),
            ("a{{#no}}b{{/no}}c", "ac"),
            ("{{^no}}b{{/no}}{{^empty}}c{{/empty}}{{^gone}}d{{/gone}}{{^yes}}e{{/yes}}", "bcd"),
            ("{{#yes}}{{#no}}a{{/no}}{{^no}}b{{/no}}{{/yes}}", "b"),
            ("{{title}}", "&lt;b&gt;&#123;&#123;yes}}&lt;/b&gt; &amp; &#39;co&#39;"),
            ("{{&raw}}{{gone}}", "<i>"),
            (
                "{{#list}}{{at}} {{#title}}{{&title}};{{/title}}{{/list}}",
                "20:00 <b>{{yes}}</b> & 'co';20:18 own;",
            ),
            ("{{^list}}none{{/list}}", ""),
            ("a{{", "a"),
            ("{{#yes}}open", "open"),
        ] {
            assert_eq!(fill(template, values), expected, "{template}");
        }
    }
}
