import { useState } from 'react';
import { Conflict } from '@/components/ui/conflict';
import { SaveStatus } from '@/components/ui/save-status';
import { TitleInput } from '@/components/ui/title-input';
import { Sample } from './sample.tsx';

const FIELDS = [
  { name: 'title', label: 'Title' },
  { name: 'body', label: 'Text', multiline: true },
];
const SAVED = { isDirty: false, problem: undefined, isKept: false, retry: undefined };
const REFUSED = { ...SAVED, isDirty: true, problem: 'Not saved: The database is unreachable.', retry() {} };
const OFFLINE = {
  ...SAVED,
  isDirty: true,
  isKept: true,
  problem: 'Offline. Saved in this browser; it will be sent when the server is back.',
};
const AT = '2026-11-29T14:30:00Z';

export function RecordSamples() {
  const [title, setTitle] = useState(
    'A title wraps where it is longer than its line, and takes no line break',
  );
  const [mine, setMine] = useState({ title: 'Reading list', body: 'Mine\nA line of both' });
  return (
    <>
      <Sample name="Title input" from="title-input">
        <TitleInput
          aria-label="Title of a record"
          className="w-full text-xl font-semibold"
          value={title}
          onChange={({ target }) => setTitle(target.value)}
        />
      </Sample>
      <Sample name="Save status" from="save-status">
        <SaveStatus of={SAVED} at={AT} />
        <SaveStatus of={{ ...SAVED, isDirty: true }} at={AT} />
        <SaveStatus of={OFFLINE} at={AT} />
        <SaveStatus of={REFUSED} at={AT} />
      </Sample>
      <Sample name="Conflict" from="conflict">
        <Conflict
          noun="note"
          fields={FIELDS}
          theirs={{ title: 'Reading list', body: 'Theirs\nA line of both', updatedAt: AT }}
          mine={mine}
          onEdit={(change) => setMine({ ...mine, ...change })}
          onKeepMine={() => {}}
          onTakeTheirs={() => setMine({ title: 'Reading list', body: 'Theirs\nA line of both' })}
        />
      </Sample>
    </>
  );
}
