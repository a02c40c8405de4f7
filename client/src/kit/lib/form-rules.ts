import { capital } from './format.ts';

/** The part of JSON Schema that describes one field of a form; `errorMessage` is ours, and replaces the message of `pattern` and `format`. */
export interface FieldSchema {
  readonly type?: 'string' | 'number' | 'integer' | 'boolean';
  readonly title?: string;
  readonly description?: string;
  /** The one value. */
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  /** A union of literals. */
  readonly anyOf?: readonly FieldSchema[];
  readonly format?: string;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly errorMessage?: string;
}

/** The schema of a body: an object of fields. */
export interface BodySchema {
  readonly properties: Readonly<Record<string, FieldSchema>>;
  readonly required?: readonly string[];
}

/** What a form holds while it is filled in: the text of each field, or whether its box is ticked. */
export type Values = Readonly<Record<string, string | boolean>>;

const INPUT_TYPES: Readonly<Record<string, string>> = {
  email: 'email',
  uri: 'url',
  date: 'date',
  'date-time': 'datetime-local',
  password: 'password',
};
const FORMAT_MESSAGES: Readonly<Record<string, string>> = {
  email: 'Enter an email address, such as name@example.com.',
  uri: 'Enter a full address, such as https://example.com.',
};

/** What there is to choose from, in an enum or a union of literals; undefined for another schema. */
export function optionsOf({
  enum: values,
  anyOf,
}: FieldSchema): { value: unknown; label: string }[] | undefined {
  const constants = anyOf?.every((one) => 'const' in one) ? anyOf : undefined;
  const options = values?.map((value) => ({ const: value, title: undefined })) ?? constants;
  return options?.map(({ const: value, title }) => ({ value, label: title ?? capital(String(value)) }));
}

/** The `type` of the input that suits a schema. */
export const inputType = ({ type, format = '' }: FieldSchema) =>
  type === 'number' || type === 'integer' ? 'number' : (INPUT_TYPES[format] ?? 'text');

/**
 * What is wrong with one field before it is sent. The server has the last word; this saves a round trip.
 *
 * @returns A sentence for the person; undefined where nothing is wrong.
 */
export function fieldError(
  schema: FieldSchema,
  required: boolean,
  value: string | boolean,
): string | undefined {
  if (typeof value === 'boolean')
    return schema.const === true && required && !value ? 'Tick this box to go on.' : undefined;
  const options = optionsOf(schema);
  const missing = schema.errorMessage ?? (options ? 'Choose an option.' : 'Fill in this field.');
  if (value.trim() === '') return required ? missing : undefined;
  if (options) return options.some((one) => String(one.value) === value) ? undefined : 'Choose one of these.';
  const {
    minLength = 0,
    maxLength = Number.POSITIVE_INFINITY,
    minimum,
    maximum,
    pattern,
    format = '',
  } = schema;
  if (inputType(schema) === 'number') {
    const number = Number(value);
    if (Number.isNaN(number) || (schema.type === 'integer' && !Number.isInteger(number)))
      return schema.type === 'integer' ? 'Enter a whole number.' : 'Enter a number.';
    if (minimum !== undefined && number < minimum) return `Enter ${minimum} or more.`;
    if (maximum !== undefined && number > maximum) return `Enter ${maximum} or less.`;
    return undefined;
  }
  // JSON Schema counts characters, not UTF-16 units.
  const length = [...value].length;
  if (length < minLength) return `Enter at least ${minLength} characters.`;
  if (length > maxLength) return `Enter at most ${maxLength} characters.`;
  if (pattern !== undefined && !new RegExp(pattern, 'u').test(value))
    return schema.errorMessage ?? 'This does not have the expected form.';
  if (format === 'email' && !/^[^\s@]+@[^\s@]+$/.test(value))
    return schema.errorMessage ?? FORMAT_MESSAGES.email;
  if (format === 'uri' && !URL.canParse(value)) return schema.errorMessage ?? FORMAT_MESSAGES.uri;
  return undefined;
}

/** The body that a form sends: numbers as numbers, and nothing for an optional field that is empty. */
export function bodyOf({ properties, required = [] }: BodySchema, values: Values): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties).flatMap(([name, schema]) => {
      const value = values[name] ?? '';
      if (value === '' && (schema.type === 'boolean' || !required.includes(name))) return [];
      const option = optionsOf(schema)?.find((one) => String(one.value) === value);
      if (option) return [[name, option.value]];
      return [[name, inputType(schema) === 'number' ? Number(value) : value]];
    }),
  );
}
