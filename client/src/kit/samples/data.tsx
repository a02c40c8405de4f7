import { useState } from 'react';
import { Avatar } from '@/components/ui/avatar';
import { Button } from '@/components/ui/button';
import { Card, CardContent, CardFooter, CardHeader } from '@/components/ui/card';
import { ChatComposer, type ChatMessage, ChatThread } from '@/components/ui/chat';
import { Code } from '@/components/ui/code';
import { DataTable } from '@/components/ui/data-table';
import { DescriptionList } from '@/components/ui/description-list';
import { Markdown } from '@/components/ui/markdown';
import { Pagination } from '@/components/ui/pagination';
import { StateBadge } from '@/components/ui/state-badge';
import { Table } from '@/components/ui/table';
import { Timeline } from '@/components/ui/timeline';
import { toast } from '@/components/ui/toast';
import { duration } from '@/kit/lib/format.ts';
import { Sample } from './sample.tsx';

const ROUTES = [
  { route: 'GET /api/notes', requests: 1_284, p95: 4.2 },
  { route: 'PATCH /api/notes/:id', requests: 96, p95: 11.7 },
  { route: 'GET /', requests: 310, p95: 0.8 },
  { route: 'POST /api/notes', requests: 41, p95: 9.1 },
];

const TEXT = `## What changed

Requests **doubled** at 14:05, and \`GET /api/notes\` took most of them:

1. the pool had *no free connection* for 3 s
2. [the runbook](/docs) says to raise \`DATABASE_POOL_MAX\`
3. see also [the manual](https://www.postgresql.org/docs/)

| route | p95 |
| --- | --- |
| GET /api/notes | 4.2 ms |

\`\`\`sh
npm run dev
\`\`\`

> Nothing was lost.

- [x] alert fired
- [ ] <script>alert(1)</script> and [a trap](javascript:alert(1)) are text
`;

const ANSWER = 'The pool was **exhausted** for 3 s. Raise `DATABASE_POOL_MAX` to 20 and watch the wait.';
const FIRST: ChatMessage[] = [
  { id: '1', role: 'user', text: 'Why were requests slow at 14:05?' },
  {
    id: '2',
    role: 'assistant',
    text: 'Let me look at the pool.\n\n- in use: 10 of 10\n- waiting: 34',
    footer: 'Read: connections, 14:00 to 14:10',
  },
];

export function Data() {
  const [messages, setMessages] = useState(FIRST);
  const [timer, setTimer] = useState<ReturnType<typeof setInterval>>();
  const stop = (at?: ReturnType<typeof setInterval>) => {
    clearInterval(at ?? timer);
    setTimer(undefined);
    setMessages((before) => before.map((message) => ({ ...message, isStreaming: false })));
  };
  const send = (text: string) => {
    const id = String(messages.length);
    setMessages([
      ...messages,
      { id: `${id}q`, role: 'user', text },
      { id: `${id}a`, role: 'assistant', text: '', isStreaming: true },
    ]);
    let length = 0;
    const at = setInterval(() => {
      length += 4;
      setMessages((before) =>
        before.map((message) =>
          message.isStreaming ? { ...message, text: ANSWER.slice(0, length) } : message,
        ),
      );
      if (length >= ANSWER.length) stop(at);
    }, 30);
    setTimer(at);
  };
  return (
    <>
      <Sample name="Card" from="card">
        <Card className="w-full">
          <CardHeader
            title="Members"
            description="Who may read and write."
            action={<Button size="sm">Invite</Button>}
          />
          <CardContent className="flex items-center gap-3 text-sm">
            <Avatar name="Ada Lovelace" />
            Ada Lovelace
          </CardContent>
          <CardFooter>
            <Button variant="ghost" size="sm">
              Show all
            </Button>
          </CardFooter>
        </Card>
      </Sample>
      <Sample name="Description list" from="description-list">
        <DescriptionList
          items={[
            ['Plan', 'Team, 12 seats'],
            ['Renews', '1 December 2026'],
            [
              'State',
              <StateBadge key="state" state="ready">
                Paid
              </StateBadge>,
            ],
          ]}
        />
      </Sample>
      <Sample name="Data table" from="data-table">
        <DataTable
          caption="Requests by route"
          rows={ROUTES}
          rowKey={({ route }) => route}
          columns={[
            {
              header: 'Route',
              fixed: true,
              value: ({ route }) => route,
              cell: ({ route }) => <code className="font-mono text-xs wrap-anywhere">{route}</code>,
            },
            {
              header: 'Requests',
              numeric: true,
              value: ({ requests }) => requests,
              cell: ({ requests }) => requests.toLocaleString('en'),
            },
            { header: 'p95', numeric: true, value: ({ p95 }) => p95, cell: ({ p95 }) => duration(p95) },
          ]}
          actions={(selected, clear) => (
            <Button
              variant="outline"
              size="sm"
              onClick={() => {
                toast(`Exported ${selected.length} routes`);
                clear();
              }}
            >
              Export
            </Button>
          )}
          footer={
            <Pagination label="Pages of routes" onNext={() => {}}>
              4 of about 60
            </Pagination>
          }
        />
      </Sample>
      <Sample name="Table" from="table">
        <div className="w-full">
          <Table
            caption="Latest requests"
            rows={ROUTES}
            rowKey={({ route }) => route}
            maxHeight="8rem"
            columns={[
              { header: 'Route', cell: ({ route }) => <code className="font-mono text-xs">{route}</code> },
              { header: 'p95', numeric: true, cell: ({ p95 }) => duration(p95) },
            ]}
          />
        </div>
      </Sample>
      <Sample name="Timeline" from="timeline">
        <Timeline
          items={[
            { id: '1', at: '38 ms', title: 'Port open', state: 'ready' },
            { id: '2', at: '61 ms', title: 'Database reached', state: 'ready', children: 'PostgreSQL 18.4' },
            { id: '3', at: '95 ms', title: 'Migrations', state: 'waiting', children: '2 to apply' },
          ]}
        />
      </Sample>
      <Sample name="Code" from="code">
        <Code
          label="Command"
          text={'docker run --read-only -p 5000:5000 \\\n  -e DATABASE_URL=postgres://db/app flightline'}
        />
      </Sample>
      <Sample name="Markdown" from="markdown">
        <Markdown>{TEXT}</Markdown>
      </Sample>
      <Sample name="Chat" from="chat">
        <div className="flex h-96 w-full flex-col gap-3">
          <ChatThread label="Conversation about an alert" messages={messages} />
          <ChatComposer onSend={send} onStop={timer && (() => stop())} />
        </div>
      </Sample>
    </>
  );
}
