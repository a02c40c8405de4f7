/** Of an OpenAPI 3.1 document, what the page shows. */
export interface OpenApi {
  info: { title: string; version: string; description: string };
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

export interface Operation {
  operationId: string;
  tags: string[];
  summary?: string;
  description?: string;
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Record<string, { description: string; content?: Content }>;
  security?: object[];
}

type Content = Record<string, { schema: Schema }>;

interface Parameter {
  name: string;
  in: 'path' | 'query' | 'header';
  required: boolean;
  description?: string;
  schema: Schema;
}

interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  format?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  const?: unknown;
  default?: unknown;
  additionalProperties?: boolean | Schema;
  patternProperties?: Record<string, Schema>;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
}

/** HTML that is safe to put into a page: only {@link html} makes it. */
class Html {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const ESCAPES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Puts values into markup: text is escaped, lists are joined, what is undefined is left out. */
function html(parts: TemplateStringsArray, ...values: unknown[]): Html {
  const insert = (value: unknown): string => {
    if (value === undefined) return '';
    if (value instanceof Html) return value.text;
    if (Array.isArray(value)) return value.map(insert).join('');
    return String(value).replace(/[&<>"']/g, (character) => ESCAPES[character] as string);
  };
  return new Html(parts.reduce((text, part, index) => text + insert(values[index - 1]) + part));
}

/**
 * The API description as a page that needs no script.
 *
 * @param styles Addresses of the style sheets that hold the client's colours.
 */
export function renderApiPage(api: OpenApi, styles: readonly string[]): string {
  const operations = Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  );
  const groups = Object.entries(Object.groupBy(operations, ({ operation }) => operation.tags[0] ?? ''));
  // Features first.
  groups.sort(([a], [b]) => OWN.indexOf(a) - OWN.indexOf(b));
  const schemas = Object.entries(api.components.schemas);
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>API · ${titleOf(api.info.title)}</title>
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="/favicon.svg" type="image/svg+xml">
<script src="/theme.js"></script>
${styles.map((href) => html`<link rel="stylesheet" href="${href}">`)}
<link rel="stylesheet" href="/api-docs.css">
</head>
<body class="api">
<a class="skip" href="#main">Skip to content</a>
<header>
<p class="home"><a href="/">${titleOf(api.info.title)}</a></p>
<nav aria-label="API">
${groups.map(
  ([tag, list = []]) => html`<section><h2>${titleOf(tag)}</h2><ul>
${list.map(
  ({ path, method, operation }) => html`<li><a href="#${operation.operationId}">
<span class="method">${method}</span> <span>${breakable(path.replace(/^\/api(?=\/)/, ''))}</span></a></li>`,
)}</ul></section>`,
)}
<section><h2>Schemas</h2><ul>${schemas.map(
    ([name]) => html`<li><a href="#schema-${name}">${name}</a></li>`,
  )}</ul></section>
</nav>
</header>
<main id="main" tabindex="-1">
<h1>API</h1>
<p class="lead">${titleOf(api.info.title)} ${api.info.version} · <a href="/api/openapi.json">openapi.json</a></p>
<p>${inline(api.info.description)}</p>
${groups.map(
  ([tag, list = []]) => html`<section aria-labelledby="tag-${tag}"><h2 id="tag-${tag}">${titleOf(tag)}</h2>
${list.map(({ path, method, operation }) => renderOperation(path, method, operation))}</section>`,
)}
<section aria-labelledby="schemas"><h2 id="schemas">Schemas</h2>
${schemas.map(
  ([name, schema]) => html`<article id="schema-${name}"><h3>${name}</h3>${fieldsOf(schema)}</article>`,
)}
</section>
</main>
</body>
</html>
`.text;
}

/** Groups that every copy of this server has, in their order; all others stand before them. */
const OWN = ['status', 'probes', 'monitoring', 'description'];

/** `my-app` as people read it: `My app`. */
const titleOf = (name: string) => name.charAt(0).toUpperCase() + name.slice(1).replaceAll('-', ' ');

/** Lets a long path break at its slashes. */
const breakable = (path: string) => path.split(/(?=\/)/).map((part) => html`${part}<wbr>`);

/** Text in which `code` is marked as in Markdown. */
const inline = (text: string) =>
  text.split('`').map((part, index) => (index % 2 === 1 ? html`<code>${part}</code>` : part));

function renderOperation(path: string, method: string, operation: Operation): Html {
  const { summary, description, parameters, requestBody, responses, security } = operation;
  const [fine, refused] = [/^2/, /^[^2]/].map((which) =>
    Object.entries(responses).filter(([status]) => which.test(status)),
  );
  return html`<article id="${operation.operationId}">
<h3><span class="method">${method}</span> <code>${breakable(path)}</code></h3>
${summary && html`<p>${summary}</p>`}
${description && html`<p>${inline(description)}</p>`}
${
  security &&
  html`<p class="note">For operators: send a key of <code>INTERNAL_API_KEY</code> as
<code>Authorization: Bearer</code> or <code>X-API-Key</code>.</p>`
}
${parameters && html`<h4>Parameters</h4>${table(parameters.map(rowOfParameter))}`}
${requestBody && html`<h4>Body</h4>${contentOf(requestBody.content)}`}
${fine?.map(
  ([status, { description, content }]) =>
    html`<h4>${status} <span>${description}</span></h4>${content && contentOf(content)}`,
)}
<details><summary>When it is refused</summary><dl class="refusals">
${refused?.map(([status, answer]) => html`<div><dt>${status}</dt><dd>${inline(answer.description)}</dd></div>`)}
</dl></details>
</article>`;
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
  type: unknown;
  about: unknown;
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

/** The schema of the values of an object whose keys are not known beforehand. */
function keyedBy({ patternProperties = {}, additionalProperties }: Schema): Schema | undefined {
  const [values] = Object.values(patternProperties);
  return values ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
}

/** The type of a value in a few words, with links to what has a name. */
function typeOf(schema: Schema): unknown {
  if (schema.$ref) {
    const name = schema.$ref.split('/').at(-1);
    return html`<a href="#schema-${name}">${name}</a>`;
  }
  if ('const' in schema) return JSON.stringify(schema.const);
  if (schema.anyOf)
    return schema.anyOf.map((one, index) => [index > 0 ? ' or ' : undefined, typeOf(one)]).flat(9);
  if (schema.type === 'array' && schema.items) return ['list of ', typeOf(schema.items)].flat(9);
  if (keyedBy(schema)) return 'object, by name';
  return schema.format ? `${schema.type}, ${schema.format}` : (schema.type ?? 'anything');
}

/** What a value may be, and what it means. */
function aboutOf(schema: Schema, description = schema.description): unknown {
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
