import { useQuery } from '@tanstack/react-query';
import { useSearch } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { type Alert, createSilence } from '#contracts/operations/alerts.ts';
import { Button } from '@/kit/components/button.tsx';
import { Panel } from '@/kit/components/card.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Dialog, DialogContent } from '@/kit/components/dialog.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { type State, StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { useForm } from '@/kit/lib/use-form.ts';
import { useLive } from './live.ts';
import { refreshed, silencesQuery, useCreateSilence, useEndSilence } from './operations-queries.ts';
import { SpanChoice } from './pieces.tsx';
import { spoken } from './sentence.ts';
import { moment, number } from './units.ts';

function stateOf({ state, severity, silencedUntil }: Alert): { state: State; word: string } {
  const silenced = silencedUntil === undefined ? '' : ', silenced';
  if (state === 'firing')
    return { state: severity === 'critical' ? 'failing' : 'degraded', word: `Firing${silenced}` };
  if (state === 'pending') return { state: 'waiting', word: `Pending${silenced}` };
  return { state: 'ready', word: state === 'resolved' ? 'Resolved' : 'Quiet' };
}

const first = (text: string) => text.replace(/^./, (letter) => letter.toUpperCase());

/** Every alert rule with its state, and the silences. */
export function AlertsScreen(): ReactNode {
  const { alerts, now } = useLive((live) => live);
  const [isOpen, setOpen] = useState<string>();
  const isPending = alerts.length === 0 && now === undefined;
  return (
    <>
      <Panel
        title="Rules"
        className="mt-5"
        note="Judged while requests come or this screen is open. What to do about each stands in docs/runbook.md."
        action={
          <Button variant="outline" icon="mute" onClick={() => setOpen('*')}>
            Silence
          </Button>
        }
      >
        {isPending ? (
          <SkeletonRows rows={10} />
        ) : (
          <Table
            caption="Alert rules"
            minWidth={980}
            order="rules"
            columns={[
              { header: 'State', width: '9.5rem', cell: (alert) => <AlertState alert={alert} /> },
              {
                header: 'Rule',
                cell: ({ name, summary }) => (
                  <>
                    <p className="font-medium">{first(spoken(name))}</p>
                    <p className="text-muted">{summary}</p>
                  </>
                ),
              },
              { header: 'Severity', width: '6rem', cell: ({ severity }) => severity },
              {
                header: 'Now',
                width: '8rem',
                numeric: true,
                cell: ({ value, unit }) => (
                  <Figure>{value === null ? '–' : `${number(value)} ${unit}`}</Figure>
                ),
              },
              {
                header: 'Limit',
                width: '9rem',
                numeric: true,
                cell: ({ threshold, unit, forSeconds }) => (
                  <>
                    <p>{`${number(threshold)} ${unit}`}</p>
                    <p className="text-muted">for {number(forSeconds)} s</p>
                  </>
                ),
              },
              {
                header: 'Since',
                width: '8.5rem',
                cell: ({ since }) => (
                  <span className="tabular-nums">{since === null ? '–' : moment(since)}</span>
                ),
              },
              {
                header: 'Runbook',
                width: '5.5rem',
                cell: ({ name, runbook }) => (
                  <CopyButton
                    text={`docs/runbook.md${runbook}`}
                    label={`Copy the place in the runbook: ${spoken(name)}`}
                  />
                ),
              },
              {
                header: 'Silence',
                width: '6.5rem',
                cell: ({ name }) => (
                  <Button
                    variant="outline"
                    onClick={() => setOpen(name)}
                    aria-label={`Silence ${spoken(name)}`}
                  >
                    Silence
                  </Button>
                ),
              },
            ]}
            rows={alerts}
            rowKey={({ name }) => name}
          />
        )}
      </Panel>
      {/* Below a list of unknown length: it would be pushed down. */}
      {!isPending && <Silences />}
      <Dialog open={isOpen !== undefined} onOpenChange={() => setOpen(undefined)}>
        <DialogContent title="Silence an alert">
          <NewSilence alert={isOpen ?? '*'} onClose={() => setOpen(undefined)} />
        </DialogContent>
      </Dialog>
    </>
  );
}

function AlertState({ alert }: { alert: Alert }) {
  const { state, word } = stateOf(alert);
  return <StateBadge state={state}>{word}</StateBadge>;
}

const SPANS = [
  [60, '1 hour'],
  [240, '4 hours'],
  [1_440, '1 day'],
  [10_080, '1 week'],
] as const;

function NewSilence({ alert, onClose }: { alert: string; onClose: () => void }) {
  const alerts = useLive((live) => live.alerts);
  const create = useCreateSilence();
  const form = useForm(createSilence, {
    guard: false,
    async send(silence) {
      const { expiresAt } = await create.mutateAsync(silence);
      onClose();
      toast(`Silenced until ${moment(expiresAt)}.`);
    },
  });
  return (
    <Form of={form} className="space-y-4">
      <p className="text-sm text-muted">It still shows here, on every replica, but sends no warning.</p>
      <div className="flex flex-wrap gap-4">
        <Choice label="Alert" name="alert" defaultValue={alert}>
          <option value="*">All alerts</option>
          {alerts.map(({ name }) => (
            <option key={name} value={name}>
              {first(spoken(name))}
            </option>
          ))}
        </Choice>
        <SpanChoice spans={SPANS} defaultValue={60} />
      </div>
      <Field {...form.field('comment')} label="Why" autoFocus description="For the next operator." />
      <div className="flex justify-end">
        <Button type="submit" pending={form.isSending}>
          Silence
        </Button>
      </div>
    </Form>
  );
}

function Silences() {
  const { paused } = useSearch({ strict: false });
  const { data, error } = useQuery({ ...silencesQuery, ...refreshed(paused) });
  const end = useEndSilence();
  return (
    <Panel title="Silences">
      {error && !data ? (
        <ErrorNote error={error} />
      ) : !data ? (
        <SkeletonRows rows={1} />
      ) : data.silences.length === 0 ? (
        <p className="text-sm text-muted">No silences. Every firing alert is reported.</p>
      ) : (
        <Table
          caption="Silences"
          minWidth={640}
          columns={[
            {
              header: 'Alert',
              width: '12rem',
              cell: ({ alert }) => (alert === '*' ? 'All alerts' : first(spoken(alert))),
            },
            { header: 'Why', cell: ({ comment }) => <span className="wrap-anywhere">{comment}</span> },
            {
              header: 'Until',
              width: '8.5rem',
              cell: ({ expiresAt }) => <span className="tabular-nums">{moment(expiresAt)}</span>,
            },
            {
              header: 'End',
              width: '6rem',
              cell: ({ id, alert }) => (
                <Button
                  variant="outline"
                  aria-label={`End the silence of ${alert === '*' ? 'all alerts' : spoken(alert)}`}
                  disabled={end.isPending}
                  onClick={() => end.mutate(id)}
                >
                  End
                </Button>
              ),
            },
          ]}
          rows={data.silences}
          rowKey={({ id }) => id}
        />
      )}
      {end.error && (
        <div className="mt-3">
          <ErrorNote error={end.error} />
        </div>
      )}
    </Panel>
  );
}
