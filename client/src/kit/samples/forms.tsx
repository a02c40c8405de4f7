import { useState } from 'react';
import type { TObject, TOptional, TString } from 'typebox';
import { Button } from '@/components/ui/button';
import { Checkbox } from '@/components/ui/checkbox';
import { Combobox, ComboboxContent, ComboboxInput, ComboboxItem } from '@/components/ui/combobox';
import { Field, FieldRow } from '@/components/ui/field';
import { FileDrop, type FileUpload } from '@/components/ui/file-drop';
import { Form } from '@/components/ui/form';
import { Input, PasswordInput } from '@/components/ui/input';
import { InputOTP } from '@/components/ui/input-otp';
import { NativeSelect } from '@/components/ui/native-select';
import { NumberInput } from '@/components/ui/number-input';
import { RadioGroup, RadioGroupItem } from '@/components/ui/radio-group';
import { Select, SelectContent, SelectItem, SelectTrigger, SelectValue } from '@/components/ui/select';
import { Switch } from '@/components/ui/switch';
import { Textarea } from '@/components/ui/textarea';
import { ApiError } from '@/kit/lib/api.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { Sample } from './sample.tsx';

const ROLES = [
  { value: 'viewer', label: 'Viewer' },
  { value: 'editor', label: 'Editor' },
  { value: 'owner', label: 'Owner' },
];
const CITIES = ['Berlin', 'Buenos Aires', 'Kyoto', 'Lagos', 'Lisbon', 'Montréal', 'Nairobi', 'Oslo'];
const REFUSED = new ApiError({
  type: '/problems/validation',
  title: 'The request is not valid',
  status: 400,
  detail: 'One value was refused.',
  instance: '/api/notes',
  requestId: '4f1c0d2e9a7b4c55',
  errors: [{ path: '/body/title', message: 'is taken' }],
});
/** A contract, as `contracts/` has them. */
const NOTE = {
  schema: {
    body: {
      type: 'object',
      required: ['title'],
      properties: {
        title: { type: 'string', minLength: 1, maxLength: 80, errorMessage: 'A note needs a title.' },
        body: { type: 'string' },
      },
    } as unknown as TObject<{ title: TString; body: TOptional<TString> }>,
  },
};

export function Forms() {
  const form = useForm(NOTE, { guard: false, send: () => Promise.reject(REFUSED) });
  const [uploads, setUploads] = useState<FileUpload[]>([
    { id: '1', name: 'report.pdf', progress: 40 },
    { id: '2', name: 'scan.png', error: 'The connection was lost.' },
    { id: '3', name: 'photo.jpg' },
  ]);
  return (
    <>
      <Sample name="Form and field" from="form">
        <Form of={form} className="w-full space-y-4">
          <Field
            {...form.field('title')}
            label="Title"
            description="Empty, the contract refuses it; filled in, the server."
          />
          <Field {...form.field('body')} label="Text" multiline />
          <Button type="submit">Save</Button>
        </Form>
      </Sample>
      <Sample name="Input" from="input">
        <Field label="Email" className="w-full">
          <Input type="email" autoComplete="email" placeholder="ada@example.com" />
        </Field>
        <Field label="Name" error="Enter a name." className="w-full">
          <Input defaultValue="" />
        </Field>
        <Field label="Plan" className="w-full">
          <Input disabled value="Free" />
        </Field>
        <Field label="Password" description="12 characters or more." className="w-full">
          <PasswordInput autoComplete="new-password" defaultValue="correct horse" />
        </Field>
      </Sample>
      <Sample name="One-time code" from="input-otp">
        <Field label="Code" description="From your authenticator app.">
          <InputOTP />
        </Field>
      </Sample>
      <Sample name="Number" from="number-input">
        <Field label="Seats">
          <NumberInput defaultValue={3} min={1} max={50} />
        </Field>
      </Sample>
      <Sample name="Date and time" from="input">
        <Field label="Day">
          <Input type="date" defaultValue="2026-11-29" />
        </Field>
        <Field label="Time">
          <Input type="time" defaultValue="14:30" />
        </Field>
        <Field label="From">
          <Input type="datetime-local" defaultValue="2026-11-29T14:30" />
        </Field>
      </Sample>
      <Sample name="Textarea" from="textarea">
        <Field label="Message" className="w-full">
          <Textarea defaultValue="It grows with its text." />
        </Field>
      </Sample>
      <Sample name="Checkbox" from="checkbox">
        <div>
          <FieldRow label="Send me a receipt" description="By email, at the end of each month.">
            <Checkbox defaultChecked />
          </FieldRow>
          <FieldRow label="Some of the notes">
            <Checkbox indeterminate />
          </FieldRow>
          <FieldRow label="Not available">
            <Checkbox disabled />
          </FieldRow>
        </div>
      </Sample>
      <Sample name="Radio group" from="radio-group">
        <RadioGroup aria-label="Role" defaultValue="editor">
          <FieldRow label="Viewer" description="Reads.">
            <RadioGroupItem value="viewer" />
          </FieldRow>
          <FieldRow label="Editor" description="Reads and writes.">
            <RadioGroupItem value="editor" />
          </FieldRow>
        </RadioGroup>
      </Sample>
      <Sample name="Switch" from="switch">
        <FieldRow label="Two-factor sign-in">
          <Switch defaultChecked />
        </FieldRow>
        <FieldRow label="Weekly summary">
          <Switch />
        </FieldRow>
        <FieldRow label="Locked">
          <Switch disabled />
        </FieldRow>
      </Sample>
      <Sample name="Select" from="select">
        <Field label="Role" className="w-44">
          <Select items={ROLES} defaultValue="editor">
            <SelectTrigger>
              <SelectValue />
            </SelectTrigger>
            <SelectContent>
              {ROLES.map(({ value, label }) => (
                <SelectItem key={value} value={value}>
                  {label}
                </SelectItem>
              ))}
            </SelectContent>
          </Select>
        </Field>
        <Field label="Disabled" className="w-44">
          <Select items={ROLES} defaultValue="viewer" disabled>
            <SelectTrigger>
              <SelectValue />
            </SelectTrigger>
          </Select>
        </Field>
      </Sample>
      <Sample name="Native select" from="native-select">
        <NativeSelect aria-label="Time range" defaultValue="15m">
          <option value="5m">5 minutes</option>
          <option value="15m">15 minutes</option>
        </NativeSelect>
        <Button variant="outline">Of the same height</Button>
      </Sample>
      <Sample name="Combobox" from="combobox">
        <Field label="City" className="w-full">
          <Combobox items={CITIES}>
            <ComboboxInput placeholder="Search a city" />
            <ComboboxContent>
              {(city: string) => (
                <ComboboxItem key={city} value={city}>
                  {city}
                </ComboboxItem>
              )}
            </ComboboxContent>
          </Combobox>
        </Field>
      </Sample>
      <Sample name="File drop" from="file-drop">
        <FileDrop
          label="Drop files here, or choose"
          hint="PNG or JPEG, up to 5 MB"
          accept="image/png,image/jpeg"
          maxBytes={5_000_000}
          multiple
          uploads={uploads}
          onFiles={(files) =>
            setUploads([...uploads, ...files.map(({ name }) => ({ id: `${name} ${uploads.length}`, name }))])
          }
          onRemove={(id) => setUploads(uploads.filter((upload) => upload.id !== id))}
        />
      </Sample>
    </>
  );
}
