/** Examples of requests and answers, from their schemas. `examples: […]` in a schema replaces what is made here. */
import type { OpenApi, Operation, Parameter, Schema } from '#contracts/description.ts';

const FORMATS: Record<string, string> = {
  date: '2026-01-31',
  'date-time': '2026-01-31T09:30:00.000Z',
  email: 'ada@example.com',
  uri: 'https://example.com/',
  uuid: '0198c2f4-7d1e-7a3b-9c55-2f6e8d0b4a17',
};

/** Of headers, whose schemas say little. */
const HEADERS: Record<string, string> = { 'if-match': '"1"', 'last-event-id': '1' };

/** Deeper values are left out: a schema may contain itself. */
const MAX_DEPTH = 8;

/** @returns The schema of the values of an object whose keys are not known beforehand. */
export function keyedBy({ patternProperties = {}, additionalProperties }: Schema): Schema | undefined {
  const [values] = Object.values(patternProperties);
  return values ?? (typeof additionalProperties === 'object' ? additionalProperties : undefined);
}

/**
 * @param name What the value is called, of which a text is made where nothing else is known: `createdBy` → `Created by`.
 * @returns A value that fits the schema.
 */
export function exampleOf(schema: Schema, api: OpenApi, name = 'text', depth = 0): unknown {
  if (schema.$ref) {
    const target = api.components.schemas[schema.$ref.split('/').at(-1) as string];
    return target && exampleOf(target, api, name, depth);
  }
  if (schema.examples?.length) return schema.examples[0];
  if ('const' in schema) return schema.const;
  if (schema.enum?.length) return schema.enum[0];
  if (schema.default !== undefined) return schema.default;
  if (schema.anyOf) return exampleOf(schema.anyOf[0] ?? {}, api, name, depth);
  if (schema.allOf) return Object.assign({}, ...schema.allOf.map((one) => exampleOf(one, api, name, depth)));
  const [type] = [schema.type ?? (schema.properties ? 'object' : undefined)].flat();
  if (type === 'string') return textOf(schema, name);
  if (type === 'integer' || type === 'number') return Math.max(1, schema.minimum ?? 1);
  if (type === 'boolean') return true;
  if (type === 'array') {
    if (depth >= MAX_DEPTH || !schema.items) return [];
    return Array.from({ length: Math.max(1, schema.minItems ?? 1) }, () =>
      exampleOf(schema.items as Schema, api, name.replace(/s$/, ''), depth + 1),
    );
  }
  if (type === 'object') {
    const fields = Object.entries(schema.properties ?? {})
      .filter(([key]) => depth < MAX_DEPTH || schema.required?.includes(key))
      .map(([key, field]): [string, unknown] => [key, exampleOf(field, api, key, depth + 1)]);
    const values = keyedBy(schema);
    const [pattern = ''] = Object.keys(schema.patternProperties ?? {});
    if (values && depth < MAX_DEPTH && new RegExp(pattern, 'u').test('name'))
      fields.push(['name', exampleOf(values, api, 'value', depth + 1)]);
    return Object.fromEntries(fields);
  }
  return null;
}

function textOf({ format = '', pattern = '', minLength = 0, maxLength }: Schema, name: string): string {
  const words = name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/[-_]/g, ' ');
  const sentence = words.charAt(0).toUpperCase() + words.slice(1);
  const fits = new RegExp(pattern, 'u');
  const texts = [FORMATS[format] ?? sentence, name, '1', 'a', '2026-01-31', '/', 'ada@example.com', ''].map(
    (text) => text.padEnd(minLength, text || 'x').slice(0, maxLength),
  );
  return texts.find((text) => fits.test(text)) ?? sentence;
}

export const exampleOfParameter = ({ name, schema }: Parameter, api: OpenApi): string => {
  const value = HEADERS[name.toLowerCase()] ?? exampleOf(schema, api, name);
  return Array.isArray(value) ? value.join(',') : String(value);
};

/** A request as an example shows it. */
export interface ExampleRequest {
  method: string;
  /** Path and query, filled in. */
  address: string;
  headers: Record<string, string>;
  /** JSON, indented. */
  body: string | undefined;
  /** Whether it needs a key. */
  secured: boolean;
}

/** @returns An operation's request, with what it requires: parameters of the path, headers, the whole body. */
export function requestOf(
  path: string,
  method: string,
  { parameters = [], requestBody, security }: Operation,
  api: OpenApi,
): ExampleRequest {
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  let address = path;
  for (const parameter of parameters) {
    const value = exampleOfParameter(parameter, api);
    if (parameter.in === 'path') address = address.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.in === 'query' && parameter.required) query.set(parameter.name, value);
    else if (parameter.in === 'header') headers[titleCase(parameter.name)] = value;
  }
  if (query.size > 0) address += `?${query}`;
  const [type, content] = Object.entries(requestBody?.content ?? {})[0] ?? [];
  if (type) headers['Content-Type'] = type;
  const body = content && JSON.stringify(exampleOf(content.schema, api), null, 2);
  return { method, address, headers, body, secured: security !== undefined };
}

/** `if-match` as headers are written: `If-Match`. */
const titleCase = (header: string) =>
  header.replace(/(^|-)[a-z]/g, (start) => start.toUpperCase()).replace(/-Id$/i, '-Id');

/** For a shell. */
const quote = (text: string) => `'${text.replaceAll("'", "'\\''")}'`;

/**
 * @param origin The server: `http://localhost:5000`.
 * @returns The request as a command.
 */
export function curlOf({ method, address, headers, body, secured }: ExampleRequest, origin: string): string {
  return [
    `curl ${quote(origin + address)}`,
    ...(method === 'GET' ? [] : [`-X ${method}`]),
    ...(secured ? ['-H "Authorization: Bearer $INTERNAL_API_KEY"'] : []),
    ...Object.entries(headers).map(([name, value]) => `-H ${quote(`${name}: ${value}`)}`),
    ...(body === undefined ? [] : [`-d ${quote(body)}`]),
  ].join(' \\\n  ');
}

/** @returns The request in JavaScript, for a page of this origin: the browser adds the session. */
export function fetchOf({ method, address, headers, body }: ExampleRequest): string {
  const string = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  const options = [
    ...(method === 'GET' ? [] : [`  method: ${string(method)},`]),
    ...(Object.keys(headers).length === 0
      ? []
      : [
          `  headers: { ${Object.entries(headers)
            .map(([name, value]) => `${string(name)}: ${string(value)}`)
            .join(', ')} },`,
        ]),
    ...(body === undefined ? [] : [`  body: JSON.stringify(${body.replaceAll('\n', '\n  ')}),`]),
  ];
  const call =
    options.length === 0
      ? `fetch(${string(address)})`
      : `fetch(${string(address)}, {\n${options.join('\n')}\n})`;
  return `const response = await ${call};`;
}
