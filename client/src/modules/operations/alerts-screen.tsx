import { type ReactNode, useState } from 'react';
import { type Alert, createSilence } from '#contracts/operations/alerts.ts';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { Panel } from '@/kit/components/card.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Dialog, DialogContent } from '@/kit/components/dialog.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorNote } from '@/kit/components/error-state.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { Form } from '@/kit/components/form.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { SkeletonRows } from '@/kit/components/skeleton.tsx';
import { type State, StateBadge } from '@/kit/components/state-badge.tsx';
import { Table } from '@/kit/components/table.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { capital, moment, span } from '@/kit/lib/format.ts';
import { useForm } from '@/kit/lib/use-form.ts';
import { Loaded, SpanChoice, useRefreshed } from './components.tsx';
import { useLive } from './live.ts';
import { silencesQuery, useCreateSilence, useEndSilence } from './operations-queries.ts';
import { measured, spoken } from './texts.ts';

function stateOf({ state, severity, silencedUntil }: Alert): [state: State, word: string] {
  const silenced = silencedUntil === undefined ? '' : ', silenced';
  if (state === 'firing') return [severity === 'critical' ? 'failing' : 'degraded', `Firing${silenced}`];
  if (state === 'pending') return ['waiting', `Pending${silenced}`];
  return ['ready', state === 'resolved' ? 'Resolved' : 'OK'];
}

/** Every rule and its state, and the silences. It appears as a whole, so that nothing moves. */
export function AlertsScreen(): ReactNode {
  const { alerts, now } = useLive((live) => live);
  const { isPending } = useRefreshed(silencesQuery);
  const [isOpen, setOpen] = useState<string>();
  return (
    <>
      <Panel
        title="Rules"
        className="mt-5"
        note="Evaluated while requests arrive or this screen is open. docs/runbook.md says what to do about each."
        action={
          <Button variant="outline" icon="mute" onClick={() => setOpen('*')}>
            Silence
          </Button>
        }
      >
        {isPending || (alerts.length === 0 && now === undefined) ? (
          <SkeletonRows rows={18} />
        ) : (
          <>
            <Rules alerts={alerts} onSilence={setOpen} />
            <Silences />
          </>
        )}
      </Panel>
      <Dialog open={isOpen !== undefined} onOpenChange={() => setOpen(undefined)}>
        <DialogContent title="Silence an alert">
          <NewSilence alert={isOpen ?? '*'} onClose={() => setOpen(undefined)} />
        </DialogContent>
      </Dialog>
    </>
  );
}

const Rules = ({ alerts, onSilence }: { alerts: Alert[]; onSilence: (name: string) => void }) => (
  <Table
    caption="Alert rules"
    cards
    minWidth={980}
    order="rules"
    columns={[
      {
        header: 'State',
        width: '9.5rem',
        cell: (alert) => {
          const [state, word] = stateOf(alert);
          return <StateBadge state={state}>{word}</StateBadge>;
        },
      },
      {
        header: 'Rule',
        cell: ({ name, summary, severity }) => (
          <>
            <p className="flex flex-wrap items-center gap-2 font-medium">
              {capital(spoken(name))}
              <Badge variant={severity === 'critical' ? 'destructive' : 'secondary'}>{severity}</Badge>
            </p>
            <p className="text-muted">{summary}</p>
          </>
        ),
      },
      {
        header: 'Now',
        width: '10rem',
        numeric: true,
        cell: ({ value, unit }) => <Figure>{measured(value, unit)}</Figure>,
      },
      {
        header: 'Threshold',
        width: '9rem',
        numeric: true,
        cell: ({ threshold, unit, forSeconds }) => (
          <>
            <p>{measured(threshold, unit)}</p>
            <p className="text-muted">for {span(forSeconds * 1_000)}</p>
          </>
        ),
      },
      {
        header: 'Since',
        width: '8.5rem',
        cell: ({ since }) => <Figure>{since === null ? '–' : moment(since)}</Figure>,
      },
      {
        header: 'Actions',
        width: '10rem',
        cell: ({ name, runbook }) => (
          <span className="flex items-center gap-2">
            <Button variant="outline" onClick={() => onSilence(name)} aria-label={`Silence ${spoken(name)}`}>
              Silence
            </Button>
            <CopyButton
              text={`docs/runbook.md${runbook}`}
              label={`Copy the runbook section of ${spoken(name)}`}
            />
          </span>
        ),
      },
    ]}
    rows={alerts}
    rowKey={({ name }) => name}
  />
);

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
      toast(`Silenced until ${moment(expiresAt)}`);
    },
  });
  return (
    <Form of={form} className="space-y-4">
      <p className="text-sm text-muted">
        On every replica, the alert still shows here, but is not reported in the log.
      </p>
      <div className="flex flex-wrap gap-4">
        <Choice label="Alert" name="alert" defaultValue={alert}>
          <option value="*">All alerts</option>
          {alerts.map(({ name }) => (
            <option key={name} value={name}>
              {capital(spoken(name))}
            </option>
          ))}
        </Choice>
        <SpanChoice spans={SPANS} defaultValue={60} />
      </div>
      <Field {...form.field('comment')} label="Reason" autoFocus description="For the next operator." />
      <div className="flex justify-end">
        <Button type="submit" pending={form.isSending}>
          Silence
        </Button>
      </div>
    </Form>
  );
}

function Silences() {
  const end = useEndSilence();
  return (
    <Panel title="Silences">
      <Loaded query={useRefreshed(silencesQuery)} rows={1}>
        {({ silences }) =>
          silences.length === 0 ? (
            <Empty icon="mute" title="No silences">
              <p>Every firing alert is reported.</p>
            </Empty>
          ) : (
            <Table
              caption="Silences"
              cards
              minWidth={640}
              columns={[
                {
                  header: 'Alert',
                  width: '12rem',
                  cell: ({ alert }) => (alert === '*' ? 'All alerts' : capital(spoken(alert))),
                },
                { header: 'Reason', cell: ({ comment }) => <span className="wrap-anywhere">{comment}</span> },
                {
                  header: 'Until',
                  width: '8.5rem',
                  cell: ({ expiresAt }) => <span className="tabular-nums">{moment(expiresAt)}</span>,
                },
                {
                  header: 'Actions',
                  width: '6rem',
                  cell: ({ id, alert }) => (
                    <Button
                      variant="outline"
                      aria-label={`End the silence of ${alert === '*' ? 'all alerts' : spoken(alert)}`}
                      pending={end.isPending}
                      onClick={() => end.mutate(id)}
                    >
                      End
                    </Button>
                  ),
                },
              ]}
              rows={silences}
              rowKey={({ id }) => id}
            />
          )
        }
      </Loaded>
      {end.error && (
        <div className="mt-3">
          <ErrorNote error={end.error} />
        </div>
      )}
    </Panel>
  );
}
