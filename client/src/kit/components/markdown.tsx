import { lexer, type Token, type Tokens } from 'marked';
import { createElement, Fragment, type ReactNode } from 'react';
import { Code, InlineCode } from './code.tsx';
import { Icon } from './icon.tsx';

/** Allowed link targets. Everything else, `javascript:` and `data:` among it, stays text. */
const SAFE = /^(?:https?:|mailto:|tel:|\/(?!\/)|#|\?|\.)/i;

function Anchor({ href, children }: { href: string; children: ReactNode }) {
  if (!SAFE.test(href) || !URL.canParse(href, location.href)) return children;
  // As the browser does, which takes `/\example.com` for another site.
  const url = new URL(href, location.href);
  const isForeign = /^https?:$/.test(url.protocol) && url.origin !== location.origin;
  return (
    <a
      href={href}
      {...(isForeign ? { rel: 'noopener noreferrer nofollow', target: '_blank' } : {})}
      className="text-accent underline underline-offset-2"
    >
      {children}
      {isForeign && (
        <>
          <Icon name="external" className="ml-0.5 inline size-3" />
          <span className="sr-only"> (opens another site)</span>
        </>
      )}
    </a>
  );
}

/** marked escapes text for HTML; React needs it unescaped. */
const unescaped = (text: string) =>
  text.replace(
    /&(amp|lt|gt|quot|#39);/g,
    (_, name: string) => ({ amp: '&', lt: '<', gt: '>', quot: '"' })[name] ?? "'",
  );

const all = (tokens: Token[] | undefined) =>
  tokens?.map((token, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: a text that grows keeps its beginning, and each part its place
    <Fragment key={index}>{one(token)}</Fragment>
  ));

function one(token: Token): ReactNode {
  const inner = 'tokens' in token ? all(token.tokens) : undefined;
  switch (token.type) {
    case 'heading':
      // The screen has the h1, a panel the h2.
      return createElement(token.depth > 2 ? 'h4' : 'h3', { className: 'text-base font-semibold' }, inner);
    case 'paragraph':
      return <p>{inner}</p>;
    case 'strong':
      return <strong className="font-semibold">{inner}</strong>;
    case 'em':
      return <em>{inner}</em>;
    case 'del':
      return <del>{inner}</del>;
    case 'br':
      return <br />;
    case 'hr':
      return <hr />;
    case 'blockquote':
      return <blockquote className="space-y-3 border-l-2 pl-3 text-muted">{inner}</blockquote>;
    case 'codespan':
      return <InlineCode>{token.text}</InlineCode>;
    case 'code':
      return <Code label={token.lang ? `Code, ${token.lang}` : 'Code'} text={token.text} />;
    case 'link':
      return <Anchor href={token.href}>{inner}</Anchor>;
    case 'image':
      // A remote image would reveal the reader to its host, so it becomes a link.
      return <Anchor href={token.href}>{token.text || token.href}</Anchor>;
    case 'list': {
      const { ordered, start, items } = token as Tokens.List;
      const content = items.map((item, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: as above
        <li key={index} className={item.task ? 'list-none' : ''}>
          {item.task && (item.checked ? '☑ ' : '☐ ')}
          {all(item.tokens.filter(({ type }) => type !== 'checkbox'))}
        </li>
      ));
      return ordered ? (
        <ol start={start || 1} className="list-decimal space-y-1 pl-6">
          {content}
        </ol>
      ) : (
        <ul className="list-disc space-y-1 pl-6">{content}</ul>
      );
    }
    case 'table': {
      const { header, rows } = token as Tokens.Table;
      const row = (cells: Tokens.TableCell[], cell: 'th' | 'td') =>
        cells.map(({ tokens }, index) =>
          createElement(cell, { key: index, className: 'border px-2 py-1 text-left' }, all(tokens)),
        );
      return (
        <div className="relative overflow-x-auto">
          <table className="text-sm">
            <thead>
              <tr>{row(header, 'th')}</tr>
            </thead>
            <tbody>
              {rows.map((cells, index) => (
                // biome-ignore lint/suspicious/noArrayIndexKey: as above
                <tr key={index}>{row(cells, 'td')}</tr>
              ))}
            </tbody>
          </table>
        </div>
      );
    }
    case 'text':
      return inner ?? unescaped(token.text);
    case 'escape':
      return token.text;
    case 'space':
    case 'def':
      return null;
    default:
      // HTML is shown as text.
      return token.raw;
  }
}

/** In characters. Nested lists of this length take 0.6 s to parse, and longer ones more than in proportion. */
const MAX_LENGTH = 100_000;

function rendered(text: string): ReactNode {
  if (text.length > MAX_LENGTH) return text;
  try {
    return all(lexer(text));
  } catch {
    // Thousands of quotes in each other overflow the stack.
    return text;
  }
}

/** Renders untrusted Markdown, as of people or models, to React elements. No HTML, images or scripts; external links are marked. May be called with growing text. Beyond 100,000 characters it is shown as it is. */
export const Markdown = ({ children }: { children: string }) => (
  <div className="max-w-prose min-w-0 space-y-3 wrap-anywhere">{rendered(children)}</div>
);
