import { useQuery } from '@tanstack/react-query';
import type { endOtherSessions, endSession } from '#contracts/accounts/sessions.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Badge } from '@/kit/components/badge.tsx';
import { Button } from '@/kit/components/button.tsx';
import { request } from '@/kit/lib/api.ts';
import { ago, exactly } from '@/kit/lib/format.ts';
import { sessionsQuery, useAct } from './account-queries.ts';
import { Loaded, Row, Rows, Section, tell } from './components.tsx';
import { TEXTS } from './texts.ts';

const { queryKey } = sessionsQuery;

export function Sessions() {
  const query = useQuery(sessionsQuery);
  const end = useAct(
    (id: string) => request<typeof endSession>('DELETE', '/api/account/sessions/:id', { params: { id } }),
    queryKey,
  );
  const endOthers = useAct(
    () => request<typeof endOtherSessions>('DELETE', '/api/account/sessions'),
    queryKey,
  );
  return (
    <Section
      title="Sessions"
      lead={TEXTS.sessions.lead}
      action={
        (query.data?.items.length ?? 0) > 1 && (
          <Confirm
            trigger={<Button variant="outline">End all others</Button>}
            title="End all other sessions?"
            action="End them"
            onConfirm={() => endOthers.mutateAsync()}
          >
            {TEXTS.sessions.endOthers}
          </Confirm>
        )
      }
    >
      <Loaded of={query}>
        {({ items }) => (
          <Rows label="Sessions">
            {items.map(({ id, device, current, ipAddress, lastSeenAt, createdAt, impersonatedBy }) => (
              <Row
                key={id}
                title={
                  <>
                    {device}
                    {current && <Badge variant="success">This browser</Badge>}
                    {impersonatedBy && <Badge variant="warning">An operator</Badge>}
                  </>
                }
                detail={
                  <>
                    <span title={exactly(lastSeenAt)}>Last seen {ago(lastSeenAt)}</span>
                    {ipAddress && ` · ${ipAddress}`} · signed in {exactly(createdAt)}
                  </>
                }
              >
                {!current && (
                  <Button
                    variant="outline"
                    aria-label={`End the session of ${device}`}
                    pending={end.isPending && end.variables === id}
                    onClick={() => end.mutate(id, { onError: tell })}
                  >
                    End
                  </Button>
                )}
              </Row>
            ))}
          </Rows>
        )}
      </Loaded>
    </Section>
  );
}
