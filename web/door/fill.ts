// The page's template language, kept small enough to exist three times: here, in the browser and in
// server/src/page.rs. {{name}} inserts escaped text, {{&name}} trusted text, {{#name}}…{{/name}} stands if
// there is something (once for each element of a list), {{^name}}…{{/name}} if there is nothing.

export type Value = string | boolean | Values[] | undefined;
export interface Values {
  [name: string]: Value;
}

const MARKS: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
  '{': '&#123;',
};

export function fill(template: string, values: Values): string {
  return template
    .replace(/{{([#^])(\w+)}}([^]*?){{\/\2}}/g, (_, kind: string, name: string, inside: string) => {
      const value = values[name];
      const some = Array.isArray(value) ? value.length > 0 : !!value;
      if (kind === '^') return some ? '' : fill(inside, values);
      if (Array.isArray(value)) return value.map((one) => fill(inside, { ...values, ...one })).join('');
      return some ? fill(inside, values) : '';
    })
    .replace(/{{(&?)(\w+)}}/g, (_, trusted: string, name: string) => {
      const text = String(values[name] ?? '');
      return trusted ? text : text.replace(/[&<>"'{]/g, (mark) => MARKS[mark]!);
    });
}
