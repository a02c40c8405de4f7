/** The adopter's own fields (`server/features/people/profile.ts`), made from the schema that the server offers. */
import type { Static, TUnsafe } from 'typebox';
import type { Me } from '#contracts/accounts/account.ts';
import { Checkbox } from '@/kit/components/checkbox.tsx';
import { Field, FieldRow } from '@/kit/components/field.tsx';
import { NativeSelect } from '@/kit/components/native-select.tsx';
import { type BodySchema, type FieldSchema, optionsOf } from '@/kit/lib/form-rules.ts';
import { capital } from '@/kit/lib/format.ts';
import type { BodyContract } from '@/kit/lib/use-form.ts';

type ProfileSchema = Me['offers']['profile'];
type Profile = Record<string, unknown>;

/** The longest text in one line, in characters. */
const MAX_LINE = 200;
const PREFIX = 'profile/';
const TYPES: unknown[] = ['string', 'number', 'integer', 'boolean'];

/** The fields of a form by name, which is their path in the body. */
function shownFields({ properties, required = [] }: ProfileSchema) {
  const shown = Object.entries(properties as Record<string, FieldSchema>).filter(
    ([, rules]) => TYPES.includes(rules.type) || optionsOf(rules),
  );
  return shown.map(([key, rules]) => ({
    key,
    name: PREFIX + key,
    rules,
    isRequired: required.includes(key),
  }));
}

/** The part of a profile that an account cannot be without. */
export const requiredOf = ({ properties, required = [] }: ProfileSchema): ProfileSchema => ({
  properties: Object.fromEntries(Object.entries(properties).filter(([key]) => required.includes(key))),
  required,
});

/** Adds the fields of the profile to those of a contract, for `useForm`. */
export function withProfile<Route extends BodyContract>(contract: Route, profile: ProfileSchema) {
  const { properties, required = [] } = contract.schema.body as unknown as BodySchema;
  const fields = shownFields(profile);
  const body = {
    properties: { ...properties, ...Object.fromEntries(fields.map(({ name, rules }) => [name, rules])) },
    required: [...required, ...fields.flatMap(({ name, isRequired }) => (isRequired ? [name] : []))],
  };
  return { schema: { body: body as unknown as TUnsafe<Static<Route['schema']['body']> & Profile> } };
}

/** What the fields hold at first. */
export const initialOf = (profile: ProfileSchema, known: Profile = {}) =>
  Object.fromEntries(
    shownFields(profile).map(({ key, name, rules: { type } }) => [
      name,
      type === 'boolean' ? known[key] === true : String(known[key] ?? ''),
    ]),
  );

/** The profile in what a form sends: null for what is left empty, which removes it. */
export const profileIn = (body: Profile, profile: ProfileSchema): Profile =>
  Object.fromEntries(shownFields(profile).map(({ key, name }) => [key, body[name] ?? null]));

/** The part of a form of `useForm` that its fields need. */
interface AnyForm {
  readonly values: Readonly<Record<string, string | boolean>>;
  field(name: string): { error?: string | undefined };
  set(name: string, value: string | boolean): void;
}

/** @param of A form whose contract is made by `withProfile`. */
export const ProfileFields = ({ of, profile }: { of: AnyForm; profile: ProfileSchema }) =>
  shownFields(profile).map(({ key, name, rules, isRequired }) => (
    <OneField key={key} of={of} name={name} label={key} rules={rules} isRequired={isRequired} />
  ));

function OneField({
  of,
  name,
  label: key,
  rules,
  isRequired,
}: {
  of: AnyForm;
  name: string;
  label: string;
  rules: FieldSchema;
  isRequired: boolean;
}) {
  const { error, ...box } = of.field(name);
  const { type, maxLength = 0, description } = rules;
  const title =
    rules.title ?? capital(key.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`));
  if (type === 'boolean')
    return (
      <FieldRow label={title} description={description} error={error}>
        <Checkbox
          name={name}
          checked={of.values[name] === true}
          onCheckedChange={(isChecked) => of.set(name, isChecked)}
          aria-invalid={error ? true : undefined}
        />
      </FieldRow>
    );
  const label = isRequired ? (
    title
  ) : (
    <>
      {title} <span className="font-normal text-muted">(optional)</span>
    </>
  );
  const options = optionsOf(rules);
  if (options === undefined)
    return (
      <Field
        {...(box as object)}
        label={label}
        description={description}
        error={error}
        multiline={maxLength > MAX_LINE}
      />
    );
  return (
    <Field label={label} description={description} error={error}>
      <NativeSelect
        name={name}
        className="w-full"
        value={String(of.values[name] ?? '')}
        onChange={({ target }) => of.set(name, target.value)}
      >
        <option value="" disabled={isRequired}>
          Choose…
        </option>
        {options.map(({ value, label }) => (
          <option key={String(value)} value={String(value)}>
            {label}
          </option>
        ))}
      </NativeSelect>
    </Field>
  );
}
