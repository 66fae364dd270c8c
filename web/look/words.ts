// Sentences in the visitor's language, from a page's one table; numbers, dates and durations by locale.

export type Lang = 'en' | 'fr';
export type Table = Record<string, Record<Lang, string>>;
export type Values = Record<string, string | number>;

export interface Words<T extends Table> {
  lang: Lang;
  locale: string;
  /** A sentence. `{name}` is a value; `{count|one|many}` chooses by count, with `#` for the count itself. */
  say(name: keyof T & string, values?: Values): string;
  number(value: number): string;
  /** 20:04 */
  clock(at: string | number): string;
  /** 20:04:31 */
  second(at: string | number): string;
  /** Saturday 21 November, 20:04 */
  day(at: string | number): string;
  /** 1 h 12 min, 4 min 05 s, 12 s */
  lasted(seconds: number): string;
}

export function words<T extends Table>(table: T, lang: Lang): Words<T> {
  const locale = navigator.language.startsWith(lang) ? navigator.language : lang;
  const plural = new Intl.PluralRules(lang);
  const number = (value: number) => value.toLocaleString(locale);
  const write = (at: string | number, form: Intl.DateTimeFormatOptions) =>
    new Intl.DateTimeFormat(locale, form).format(new Date(at));
  const time = { hour: 'numeric', minute: '2-digit' } as const;
  return {
    lang,
    locale,
    number,
    say: (name, values = {}) =>
      table[name]![lang].replace(
        /{(\w+)\|([^|}]*)\|([^}]*)}/g,
        (_, value: string, one: string, many: string) => {
          const count = Number(values[value]);
          return (plural.select(count) === 'one' ? one : many).replace('#', number(count));
        },
      ).replace(/{(\w+)}/g, (_, value: string) => {
        const found = values[value] ?? '';
        return typeof found === 'number' ? number(found) : found;
      }),
    clock: (at) => write(at, time),
    second: (at) => write(at, { ...time, second: '2-digit' }),
    day: (at) => write(at, { ...time, weekday: 'long', day: 'numeric', month: 'long' }),
    lasted: (seconds) => {
      const s = Math.max(0, Math.floor(seconds));
      const [h, m] = [Math.floor(s / 3600), Math.floor(s / 60) % 60];
      const two = (count: number) => String(count).padStart(2, '0');
      if (h) return `${h} h ${two(m)} min`;
      return m ? `${m} min ${two(s % 60)} s` : `${s} s`;
    },
  };
}

/** The language of the page as the server sent it. */
export function pageLang(): Lang {
  return document.documentElement.lang === 'fr' ? 'fr' : 'en';
}

/** Takes another language, also for the next visit of this address. */
export function turnTo(lang: Lang): void {
  document.documentElement.lang = lang;
  const url = new URL(location.href);
  url.searchParams.set('lang', lang);
  history.replaceState(history.state, '', url);
}
