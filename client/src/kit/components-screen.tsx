import { type ReactNode, useState } from 'react';
import { Button, IconButton } from '@/kit/components/button.tsx';
import { CommandPalette } from '@/kit/components/command-palette.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Dialog } from '@/kit/components/dialog.tsx';
import { EmptyState } from '@/kit/components/empty-state.tsx';
import { ErrorNote, ErrorState } from '@/kit/components/error-state.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Kbd } from '@/kit/components/kbd.tsx';
import { Menu } from '@/kit/components/menu.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { Tabs } from '@/kit/components/tabs.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { ApiError } from '@/kit/lib/api.ts';
import { duration } from '@/kit/lib/format.ts';

const ROUTES = [
  { route: 'GET /api/notes', requests: 1_284, p95: 4.2 },
  { route: 'PATCH /api/notes/:id', requests: 96, p95: 11.7 },
  { route: 'GET /', requests: 310, p95: 0.8 },
];

const problem = {
  type: '/problems/validation',
  title: 'The request is not valid',
  status: 400,
  detail: 'One value was refused.',
  instance: '/api/notes',
  requestId: '4f1c0d2e9a7b4c55',
};

function Piece({ name, children }: { name: string; children: ReactNode }) {
  return (
    <section aria-label={name} className="rounded-lg border bg-surface p-5">
      <h2 className="mb-4 text-sm text-muted">{name}</h2>
      <div className="flex flex-wrap items-start gap-3">{children}</div>
    </section>
  );
}

/** Every piece of interface, for whoever builds the next screen. Exists in development only. */
export function PiecesScreen() {
  const [isOpen, setOpen] = useState(false);
  const [isPaletteOpen, setPaletteOpen] = useState(false);
  const [error, setError] = useState<unknown>();
  return (
    <div className="mx-auto max-w-5xl space-y-4 px-4 py-8 md:px-8">
      <ScreenHeading title="Pieces" />
      <p className="max-w-prose text-muted">
        What screens are made of. Each is one file in client/src/kit/components.
      </p>
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
        <Piece name="Buttons">
          <Button kind="primary">Primary</Button>
          <Button>Secondary</Button>
          <Button kind="quiet">Quiet</Button>
          <Button kind="danger" icon="trash">
            Danger
          </Button>
          <Button disabled>Disabled</Button>
          <IconButton icon="plus" label="Add" />
        </Piece>
        <Piece name="States">
          <StateBadge state="ready">Ready</StateBadge>
          <StateBadge state="degraded">Degraded</StateBadge>
          <StateBadge state="failing">Failing</StateBadge>
          <StateBadge state="draining">Draining</StateBadge>
          <StateBadge state="waiting">Waiting</StateBadge>
        </Piece>
        <Piece name="Form and fields">
          <Form
            className="w-full space-y-4"
            error={error}
            onSubmit={() =>
              setError(
                new ApiError({ ...problem, errors: [{ path: '/body/title', message: 'must not be empty' }] }),
              )
            }
          >
            <Field label="Title" name="title" hint="Submit to see the server's message at its field." />
            <Field multiline label="Text" name="body" />
            <Button type="submit" kind="primary">
              Save
            </Button>
          </Form>
        </Piece>
        <Piece name="Overlays">
          <Button onClick={() => setOpen(true)}>Open dialog</Button>
          <Dialog
            title="Delete this project?"
            open={isOpen}
            onClose={() => setOpen(false)}
            actions={
              <>
                <Button onClick={() => setOpen(false)}>Keep it</Button>
                <Button kind="danger" onClick={() => setOpen(false)}>
                  Delete
                </Button>
              </>
            }
          >
            <p className="text-muted">
              A dialog asks only what cannot be undone. Everything else is done, with a way back.
            </p>
          </Dialog>
          <Menu
            label="More"
            items={[
              { label: 'Rename', onSelect: () => toast('Renamed') },
              {
                label: 'Delete',
                icon: 'trash',
                danger: true,
                onSelect: () => toast('Deleted “Plan”', { label: 'Undo', run: () => {} }),
              },
            ]}
          />
          <Button
            onClick={() => toast('Deleted “Plan”', { label: 'Undo', run: () => toast('Restored “Plan”') })}
          >
            Show message
          </Button>
          <Button onClick={() => setPaletteOpen(true)}>Open palette</Button>
          {isPaletteOpen && (
            <CommandPalette
              onClose={() => setPaletteOpen(false)}
              commands={['Home', 'Notes', 'Operations'].map((label) => ({
                label,
                group: 'Go to',
                run: () => toast(label),
              }))}
            />
          )}
          <span>
            <Kbd>Ctrl K</Kbd>
          </span>
          <CopyButton text="npm start" />
        </Piece>
        <Piece name="Table">
          <div className="w-full">
            <Table
              caption="Requests by route"
              rows={ROUTES}
              rowKey={({ route }) => route}
              columns={[
                { header: 'Route', cell: ({ route }) => <code className="font-mono text-xs">{route}</code> },
                { header: 'Requests', numeric: true, cell: ({ requests }) => requests.toLocaleString('en') },
                { header: '95 % within', numeric: true, cell: ({ p95 }) => duration(p95) },
              ]}
            />
          </div>
        </Piece>
        <Piece name="Tabs">
          <div className="w-full">
            <Tabs
              label="Views"
              tabs={[
                { name: 'Requests', content: <p>Requests a second, by route.</p> },
                { name: 'Errors', content: <p>Errors, by kind.</p> },
                { name: 'Database', content: <p>Connections in use.</p> },
              ]}
            />
          </div>
        </Piece>
        <Piece name="Skeleton">
          <div className="w-full space-y-3">
            <Skeleton className="h-5 w-1/2" />
            <Skeleton />
            <Skeleton className="h-4 w-2/3" />
          </div>
        </Piece>
        <Piece name="Empty">
          <div className="w-full">
            <EmptyState icon="note" title="No notes yet">
              <p>Says what this place is for, and offers the first step.</p>
              <Button kind="primary">Write the first note</Button>
            </EmptyState>
          </div>
        </Piece>
        <Piece name="Error of a screen">
          <ErrorState
            error={
              new ApiError({
                ...problem,
                title: 'The database is unreachable',
                status: 503,
                detail: 'Trying again in 3 s.',
              })
            }
            onRetry={() => {}}
          />
        </Piece>
        <Piece name="Error in a place">
          <ErrorNote error={new ApiError(problem)} />
        </Piece>
      </div>
    </div>
  );
}
