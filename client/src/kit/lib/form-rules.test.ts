import { expect, it } from 'vitest';
import { type BodySchema, bodyOf, type FieldSchema, fieldError, inputType } from './form-rules.ts';

/** At least one character that is no space, and no NUL. */
const title: FieldSchema = {
  type: 'string',
  minLength: 1,
  maxLength: 200,
  pattern: '^[^\\u0000]*[^\\s\\u0000][^\\u0000]*$',
  errorMessage: 'A note needs a title.',
};

it.each<[FieldSchema, boolean, string | boolean, string | undefined]>([
  [title, true, '', 'A note needs a title.'],
  [title, true, ' \t', 'A note needs a title.'],
  [title, true, '\u0000', 'A note needs a title.'],
  [title, true, 'x'.repeat(201), 'Enter at most 200 characters.'],
  // One character each, though two units of UTF-16.
  [title, true, '😀'.repeat(200), undefined],
  [{ type: 'string', maxLength: 20_000 }, false, '', undefined],
  [{ type: 'string', minLength: 12 }, true, 'short', 'Enter at least 12 characters.'],
  [{ type: 'string', format: 'email' }, true, 'nobody', 'Enter an email address, such as name@example.com.'],
  [{ type: 'string', format: 'email' }, true, 'name@example.com', undefined],
  [{ type: 'string', format: 'uri' }, false, 'example', 'Enter a full address, such as https://example.com.'],
  [{ type: 'integer', minimum: 1 }, true, '1.5', 'Enter a whole number.'],
  [{ type: 'integer', minimum: 1 }, true, '0', 'Enter 1 or more.'],
  [{ type: 'number', maximum: 2 }, true, '2.5', 'Enter 2 or less.'],
  [{ type: 'number' }, true, 'NaN', 'Enter a number.'],
  [{ type: 'boolean', const: true }, true, false, 'Tick this box to go on.'],
  [{ type: 'boolean' }, true, false, undefined],
  [{ enum: ['s', 'm'] }, true, 'm', undefined],
  [{ enum: ['s', 'm'] }, true, '', 'Choose an option.'],
  [{ anyOf: [{ const: 1 }, { const: 2 }] }, false, '3', 'Choose one of these.'],
  [{ type: 'boolean' }, false, false, undefined],
])('%j, required: %j, with %j: %j', (schema, required, value, message) => {
  expect(fieldError(schema, required, value)).toBe(message);
});

it('sends numbers as numbers, and nothing for an empty optional field', () => {
  const schema: BodySchema = {
    properties: {
      name: { type: 'string' },
      note: { type: 'string' },
      size: { type: 'integer' },
      seats: { anyOf: [{ const: 5 }, { const: 10 }] },
      all: { type: 'boolean' },
    },
    required: ['name'],
  };
  expect(bodyOf(schema, { name: '', note: '', size: '12', seats: '5', all: false })).toEqual({
    name: '',
    size: 12,
    seats: 5,
    all: false,
  });
  expect(inputType({ type: 'integer' })).toBe('number');
});
