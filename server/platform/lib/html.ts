/** Text and numbers are escaped; what `html` made is taken as it is; lists are joined; nothing is written for the rest. */
export type HtmlValue = string | number | Html | readonly HtmlValue[] | false | null | undefined;

/**
 * HTML that is escaped where it must be. Made by the tag `html`: an object of the same shape, such as one of a request's body, is not
 * taken for it.
 */
export class Html {
  readonly html: string;

  constructor(text: string) {
    this.html = text;
  }
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
/** A value right behind this is a whole address, or its beginning. */
const URL_ATTRIBUTE = /\s(?:href|src|action|formaction|background|poster|cite)\s*=\s*["']$/i;
const UNQUOTED = /<[^<>]*=\s*$/;
const SAFE_SCHEME = /^(?:https?|mailto|tel|cid|data:image\/(?:png|jpeg|gif|webp)):?$/i;

/**
 * Writes HTML: `` html`<p>Hello ${name}</p>` ``. Values are escaped, in text and in quoted attributes.
 *
 * @throws TypeError for a value in an attribute without quotes, an address with a scheme such as `javascript:`, and an object that
 *   this tag did not make.
 */
export function html(strings: TemplateStringsArray, ...values: readonly HtmlValue[]): Html {
  let text = strings[0] ?? '';
  for (const [index, value] of values.entries()) {
    if (UNQUOTED.test(text)) throw new TypeError('html: put the value of an attribute in quotes.');
    text += URL_ATTRIBUTE.test(text) ? safeUrl(written(value)) : written(value);
    text += strings[index + 1] ?? '';
  }
  return new Html(text);
}

function written(value: HtmlValue): string {
  if (value === undefined || value === null || value === false) return '';
  if (typeof value === 'string' || typeof value === 'number')
    return String(value).replace(/[&<>"']/g, (one) => ESCAPES[one] ?? one);
  if (Array.isArray(value)) return value.map(written).join('');
  if (value instanceof Html) return value.html;
  throw new TypeError('html: a value is neither text, a number, a list nor made by html`…`.');
}

/** @param url Escaped: none of the characters of a scheme is one that is. */
function safeUrl(url: string): string {
  // Browsers skip white space and control characters before and within a scheme.
  const scheme = /^([^/?#:]*):/.exec(url.replace(/[\0-\x20\x7f-\x9f]/g, ''))?.[1];
  const data = /^data:image\/\w+/i.exec(url)?.[0];
  if (scheme === undefined || SAFE_SCHEME.test(data ?? scheme)) return url;
  throw new TypeError(`html: an address may not begin with '${scheme.slice(0, 20)}:'.`);
}
