import type { Content, OpenApi, Operation, Parameter, Schema } from '#contracts/description.ts';
import { type Html, type HtmlValue, html } from '../../platform/lib/html.ts';
import { curlOf, exampleOf, exampleOfParameter, fetchOf, keyedBy, requestOf } from './examples.ts';

export interface Looks {
  styles: readonly string[];
  fonts: readonly string[];
}

/** Stands for the address of this server in commands. The script of the page replaces it by the one that was visited. */
const ORIGIN = 'https://app.example.com';

/**
 * The API description as a page. It is read without a script; with one (`client/public/api-docs.js`) it is searched, copied
 * from and tried.
 *
 * @param looks Addresses of the client's style sheets, which hold the colours, and of the fonts that it asks for first.
 */
export function renderApiPage(api: OpenApi, { styles, fonts }: Looks): string {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const first = api.tags.map(({ name }) => name);
  const rank = (tag: string) => (first.includes(tag) ? first.indexOf(tag) : first.length);
  // Modules are registered after the platform's own routes, and are shown before them.
  const groups = Object.entries(Object.groupBy(operations, ({ operation }) => operation.tags[0] ?? ''))
    .reverse()
    .sort(([a], [b]) => rank(a) - rank(b));
  const schemas = Object.entries(api.components.schemas);
  const title = titleOf(api.info.title);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>API · ${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<link rel="expect" href="#end" blocking="render">
${fonts.map((href) => html`<link rel="preload" href="${href}" as="font" type="font/woff2" crossorigin>`)}
<script src="/theme.js"></script>
${styles.map((href) => html`<link rel="stylesheet" href="${href}">`)}
<link rel="stylesheet" href="/api-docs.css">
</head>
<body class="api" data-code="curl">
<a class="skip" href="#main">Skip to content</a>
<header>
<p class="home"><a href="/">${title}</a> <span>API</span></p>
<button type="button" class="button contents" popovertarget="contents">Contents</button>
<div id="contents" popover>
<label class="search scripted"><span class="sr-only">Search the API</span>
<input type="search" placeholder="Search" autocomplete="off" spellcheck="false" aria-keyshortcuts="/"></label>
<p class="found sr-only" role="status"></p>
<nav aria-label="API">
${groups.map(
  ([tag, list = []]) => html`<section><h2>${titleOf(tag)}</h2><ul>
${list.map(
  ({ path, method, operation }) => html`<li><a href="#${operation.operationId}">
${methodOf(method)} <span>${breakable(path.replace(/^\/api(?=\/)/, ''))}</span></a></li>`,
)}</ul></section>`,
)}
<section><h2>Schemas</h2><ul>${schemas.map(
    ([name]) => html`<li><a href="#schema-${name}">${name}</a></li>`,
  )}</ul></section>
</nav>
</div>
</header>
<main id="main" tabindex="-1">
<h1>API</h1>
<p class="lead">${title} ${api.info.version} · <a href="/api/openapi.json">openapi.json</a></p>
<p>${inline(api.info.description)}</p>
<div class="key scripted"><label for="key">Key</label>
<input id="key" type="password" autocomplete="off" spellcheck="false" aria-describedby="about-key">
<p id="about-key">“Try it” sends requests as you: with your session, or with this key as <code>Authorization: Bearer</code>.
The key is kept in this page only, and is gone when you leave it.</p></div>
<p class="none" hidden>Nothing matches. Try a path, a method or a word of the description.</p>
${groups.map(
  ([tag, list = []]) => html`<section aria-labelledby="tag-${tag}"><h2 id="tag-${tag}">${titleOf(tag)}</h2>
${list.map(({ path, method, operation }) => renderOperation(path, method, operation, api))}</section>`,
)}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>
${schemas.map(
  ([
    name,
    schema,
  ]) => html`<article id="schema-${name}"><div class="about"><h3>${name}</h3>${fieldsOf(schema)}</div>
<div class="examples">${jsonOf('Example', exampleOf(schema, api))}</div></article>`,
)}
</section>
</main>
<dialog aria-labelledby="confirm-title"><h2 id="confirm-title">Send this request?</h2>
<p><code></code> may change data on this server.</p>
<p class="actions"><button type="button" class="button" value="">Cancel</button>
<button type="button" class="button primary" value="send">Send</button></p></dialog>
<script src="/api-docs.js"></script>
<div id="end"></div>
</body>
</html>
`.html;
}

/** `my-app` as people read it: `My app`. */
const titleOf = (name: string) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', ' ');

/** Lets a long path break at its slashes. */
const breakable = (path: string) => path.split(/(?=\/)/).map((part) => html`${part}<wbr>`);

/** Text in which `code` is marked as in Markdown. */
const inline = (text: string) =>
  text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));

const methodOf = (method: string) => html`<span class="method ${method.toLowerCase()}">${method}</span>`;

function renderOperation(path: string, method: string, operation: Operation, api: OpenApi): Html {
  const { summary, description, parameters, requestBody, responses, security } = operation;
  const [fine = [], refused = []] = [/^2/, /^[^2]/].map((which) =>
    Object.entries(responses).filter(([status]) => which.test(status)),
  );
  const request = requestOf(path, method, operation, api);
  return html`<article id="${operation.operationId}"><div class="about">
<h3>${methodOf(method)} <code>${breakable(path)}</code></h3>
${summary && html`<p>${summary}</p>`}
${description && html`<p>${inline(description)}</p>`}
${
  security &&
  html`<p class="note">For operators: sign in, or send a key of <code>INTERNAL_API_KEY</code> as
<code>Authorization: Bearer</code> or <code>X-API-Key</code>.</p>`
}
${parameters && html`<h4>Parameters</h4>${table(parameters.map(rowOfParameter))}`}
${requestBody && html`<h4>Body</h4>${contentOf(requestBody.content)}`}
${fine.map(
  ([status, { description, content }]) =>
    html`<h4>${status} <span>${description}</span></h4>${content && contentOf(content)}`,
)}
<details><summary>Errors</summary><dl class="refusals">
${refused.map(([status, answer]) => html`<div><dt>${status}</dt><dd>${inline(answer.description)}</dd></div>`)}
</dl><p>Each is a <a href="#schema-Problem">problem document</a>.</p></details>
</div><div class="examples">
<div class="code"><div class="bar"><span class="choice scripted"><button type="button" value="curl" aria-pressed="true">curl</button>
<button type="button" value="fetch" aria-pressed="false">fetch</button></span>${COPY}</div>
${pre('curl', curlOf(request, ORIGIN))}${pre('fetch', fetchOf(request))}</div>
${fine.flatMap(([status, { content = {} }]) =>
  Object.entries(content)
    .filter(([type]) => type.includes('json'))
    .map(([, { schema }]) => jsonOf(status, exampleOf(schema, api))),
)}
${tryIt(operation, request.body, path, method, api)}
</div></article>`;
}

const COPY = html`<button type="button" class="copy scripted">Copy</button>`;

/** Code that can be copied. What may scroll can be reached by keyboard. */
const pre = (kind: string, text: string) =>
  html`<pre class="${kind}"${text.length > 600 || text.split('\n').length > 14 ? html` tabindex="0"` : ''}>${text}</pre>`;

const jsonOf = (title: string, value: unknown) =>
  html`<div class="code"><div class="bar"><span>${title}</span>${COPY}</div>${pre('json', JSON.stringify(value, null, 2))}</div>`;

function tryIt(
  { parameters = [] }: Operation,
  body: string | undefined,
  path: string,
  method: string,
  api: OpenApi,
): Html {
  const field = (parameter: Parameter) => {
    const { name, in: place, required } = parameter;
    const example = exampleOfParameter(parameter, api);
    return html`<label><span>${name} <small>${place}</small></span>
<input name="${place}:${name}" ${required ? html`value="${example}" required` : html`placeholder="${example}"`} autocomplete="off" spellcheck="false"></label>`;
  };
  return html`<details class="try scripted"><summary class="button">Try it</summary><template>
<form data-method="${method}" data-path="${path}">
${parameters.map(field)}
${
  body !== undefined &&
  html`<label><span>Body <small>JSON</small></span>
<textarea name="body" rows="${Math.min(12, body.split('\n').length + 1)}" autocomplete="off" spellcheck="false">${body}</textarea></label>`
}
<p class="actions"><button class="button primary">Send</button></p>
<p class="outcome" role="status"></p>
</form></template></details>`;
}

function contentOf(content: Content): Html[] {
  return Object.entries(content).map(([type, { schema }]) =>
    schema.properties && !schema.$ref
      ? html`<p class="type">${type}</p>${fieldsOf(schema)}`
      : html`<p class="type">${type}: ${typeOf(schema)}</p>`,
  );
}

interface Row {
  name: string;
  note?: string | undefined;
  type: HtmlValue;
  about: HtmlValue;
}

const rowOfParameter = ({ name, in: place, required, description, schema }: Parameter): Row => ({
  name,
  note: `${place}${required ? ', required' : ''}`,
  type: typeOf(schema),
  about: aboutOf(schema, description),
});

/** The fields of an object, those of objects within it too, by their path. */
function fieldsOf(schema: Schema): Html {
  const rows: Row[] = [];
  const add = (object: Schema, prefix: string) => {
    for (const [name, field] of Object.entries(object.properties ?? {})) {
      const note = object.required?.includes(name) ? undefined : 'optional';
      rows.push({ name: prefix + name, note, type: typeOf(field), about: aboutOf(field) });
      const inner = field.items ?? field;
      const keyed = keyedBy(field);
      if (inner.properties) add(inner, `${prefix}${name}${field.items ? '[]' : ''}.`);
      else if (keyed?.properties) add(keyed, `${prefix}${name}.*.`);
    }
  };
  add(schema, '');
  return rows.length > 0 ? table(rows) : html`<p class="type">${typeOf(schema)}</p>`;
}

const table = (rows: Row[]): Html => html`<dl class="fields">
${rows.map(
  ({
    name,
    note,
    type,
    about,
  }) => html`<div><dt><code>${name}</code>${note && html` <small>${note}</small>`}</dt>
<dd><span class="type">${type}</span> ${about}</dd></div>`,
)}
</dl>`;

/** The type of a value in a few words, with links to what has a name. */
function typeOf(schema: Schema): HtmlValue {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((one) => JSON.stringify(one)).join(' or ');
  if (schema.anyOf) return schema.anyOf.map((one, index) => [index > 0 ? ' or ' : undefined, typeOf(one)]);
  if (schema.type === 'array' && schema.items) return ['list of ', typeOf(schema.items)];
  if (keyedBy(schema)) return 'object, by name';
  const type = [schema.type ?? 'anything'].flat().join(' or ');
  return schema.format ? `${type}, ${schema.format}` : type;
}

/** What a value may be, and what it means. */
function aboutOf(schema: Schema, description = schema.description): HtmlValue {
  const { minimum, maximum = Number.MAX_SAFE_INTEGER, minLength, maxLength, pattern } = schema;
  const limits = [
    minimum !== undefined &&
      (maximum === Number.MAX_SAFE_INTEGER ? `from ${minimum}` : `${minimum} to ${maximum}`),
    maxLength !== undefined && `${minLength ?? 0} to ${maxLength} characters`,
    pattern !== undefined && html`matches <code>${pattern}</code>`,
    'default' in schema && `${JSON.stringify(schema.default)} by default`,
  ].filter(Boolean);
  return [
    description && html`${inline(description)}. `,
    limits.length > 0
      ? html`<small>${limits.flatMap((limit, index) => [index > 0 ? ' · ' : '', limit])}</small>`
      : undefined,
  ];
}
