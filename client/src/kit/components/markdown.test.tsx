import { renderToStaticMarkup } from 'react-dom/server';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { Markdown } from './markdown.tsx';

beforeEach(() => vi.stubGlobal('location', new URL('https://app.example.com/notes')));
afterEach(() => vi.unstubAllGlobals());

const rendered = (text: string) => renderToStaticMarkup(<Markdown>{text}</Markdown>);

it.each([
  'javascript:alert(1)',
  '\u0001javascript:alert(1)',
  'data:text/html,x',
  '//evil.example.com',
  // No addresses, which a browser would refuse to parse.
  'http://',
  'https://[',
  'https://a:99999999/',
])('makes no link of %j', (href) => {
  expect(rendered(`[text](<${href}>)`)).not.toContain('<a ');
});

it.each(['https://evil.example.com/', '/\\\\evil.example.com', '/\t/evil.example.com'])(
  'marks %j as another site',
  (href) => {
    expect(rendered(`[text](<${href}>)`)).toContain('(opens another site)');
  },
);

it.each(['/notes', '#top', '?q=1', 'https://app.example.com/', 'mailto:a@example.com'])(
  'takes %j for its own',
  (href) => {
    expect(rendered(`[text](<${href}>)`)).toMatch(/<a (?!.*another site)/);
  },
);

it('shows as text what is nested too deeply to be parsed', () => {
  expect(rendered(`${'>'.repeat(5_000)} deep`)).toContain('deep');
});

it('shows as text what is longer than 100,000 characters', () => {
  expect(rendered('**a**'.padEnd(100_000, ' '))).toContain('<strong');
  expect(rendered('**a**'.padEnd(100_001, ' '))).toContain('**a**');
});

it('shows HTML as text', () => {
  expect(rendered('<img src=x onerror=alert(1)>')).toContain('&lt;img');
});
