import { expect, it } from 'vitest';
import { type HtmlValue, html } from './html.ts';

it('escapes values in text and in attributes, and nothing twice', () => {
  const name = `<b title="x">O'Neil & Co</b>`;
  const escaped = '&lt;b title=&quot;x&quot;&gt;O&#39;Neil &amp; Co&lt;/b&gt;';
  expect(html`<p title="${name}">${name}</p>`.html).toBe(`<p title="${escaped}">${escaped}</p>`);
  expect(html`<ul>${['<', '>'].map((one) => html`<li>${one}</li>`)}</ul>`.html).toBe(
    '<ul><li>&lt;</li><li>&gt;</li></ul>',
  );
  expect(html`${0}${false}${null}${undefined}`.html).toBe('0');
});

it('takes no object for its own that has the same shape', () => {
  const forged = JSON.parse('{"html":"<script>"}') as HtmlValue;
  expect(() => html`${forged}`).toThrow(TypeError);
});

it.each([
  'javascript:alert(1)',
  ' JavaScript:alert(1)',
  'java\tscript:alert(1)',
  '\u0001javascript:alert(1)',
  'vbscript:x',
  'data:text/html,<script>',
  'data:image/svg+xml,<svg>',
])('refuses the address %j', (url) => {
  expect(() => html`<a href="${url}">x</a>`).toThrow(/may not begin/);
  expect(() => html`<img SRC = '${url}'>`).toThrow(/may not begin/);
});

it.each([
  'https://example.com/?a=b:c&d="',
  '/notes/1?at=12:30',
  '#top',
  'mailto:a@example.com',
  'data:image/png;base64,AA==',
])('takes the address %j', (url) => {
  expect(html`<a href="${url}">x</a>`.html).toContain('<a href="');
});

it('refuses a value in an attribute without quotes', () => {
  expect(() => html`<a title=${'x onclick=alert(1)'}>x</a>`).toThrow(/quotes/);
});
