import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { MailOverview, MailState } from '#contracts/mail.ts';
import { Alert } from '@/kit/components/alert.tsx';
import { InlineCode } from '@/kit/components/code.tsx';
import { ErrorNote, ErrorState } from '@/kit/components/error-state.tsx';
import { Figure } from '@/kit/components/figure.tsx';
import { Skeleton, SkeletonRows } from '@/kit/components/skeleton.tsx';
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/kit/components/tabs.tsx';
import { count, number, percent, span } from '@/kit/lib/format.ts';
import { operatorsScreen } from '@/kit/operator/operators-screen.tsx';
import { overviewQuery, useMailEvents } from './mail-queries.ts';
import { STATES } from './mail-search.ts';
import { Outbox } from './outbox.tsx';
import { Suppressions } from './suppressions.tsx';

const route = getRouteApi('/ops/mail');

/** Mail: how it leaves, what waits and what was refused, and who gets none. */
export const MailScreen = operatorsScreen(
  'Email delivery',
  'The emails of this server and what became of them.',
  Content,
);

function Content() {
  useMailEvents();
  const { view, state } = route.useSearch();
  const navigate = route.useNavigate();
  const { data, error, refetch } = useQuery(overviewQuery);
  if (data === undefined) return error ? <ErrorState error={error} onRetry={refetch} /> : <ToCome />;
  return (
    <>
      {/* Of fixed height, because it changes while it is read. */}
      <p
        className={`mt-1 text-sm text-muted xl:min-h-5 ${data.bounceRate === null ? 'min-h-10' : 'min-h-15 sm:min-h-10'}`}
      >
        {sentence(data)}
      </p>
      {error && <ErrorNote error={error} />}
      {data.provider === 'none' && <NoProvider />}
      <Tabs
        className="mt-4"
        value={view ?? 'outbox'}
        onValueChange={(next) => navigate({ search: next === 'suppressed' ? { view: next } : {} })}
      >
        <TabsList aria-label="Parts of email delivery">
          <TabsTrigger value="outbox">Outbox</TabsTrigger>
          <TabsTrigger value="suppressed">{`Suppressed (${number(data.suppressed)})`}</TabsTrigger>
        </TabsList>
        <TabsContent value="outbox">
          <Counts overview={data} open={state} />
          <Outbox templates={data.templates} />
        </TabsContent>
        <TabsContent value="suppressed">
          <Suppressions />
        </TabsContent>
      </Tabs>
    </>
  );
}

const PROVIDERS: Record<Exclude<MailOverview['provider'], 'none' | 'mailbox'>, string> = {
  smtp: 'SMTP',
  mailgun: 'Mailgun',
  sendgrid: 'SendGrid',
};

const countOf = ({ states }: MailOverview, wanted: MailState) =>
  states.find(({ state }) => state === wanted)?.count ?? 0;

/** How mails leave, what waits, and how many came back, as a colleague would say it. */
function sentence(overview: MailOverview) {
  const { provider, from, oldestSeconds, bounceRate } = overview;
  const unsent = countOf(overview, 'waiting') + countOf(overview, 'sending') + countOf(overview, 'held');
  return [
    provider === 'mailbox'
      ? 'Development: emails go to the mailbox.'
      : provider === 'none'
        ? 'No provider is set.'
        : `Sent by ${PROVIDERS[provider]}${from ? ` from ${from}` : ''}.`,
    unsent > 0
      ? `${count(unsent, 'email')} unsent, the oldest for ${span(oldestSeconds * 1_000)}.`
      : 'Nothing is waiting.',
    bounceRate !== null && `${percent(bounceRate)} of the emails of the last 24 hours bounced.`,
  ]
    .filter(Boolean)
    .join(' ');
}

const NoProvider = () => (
  <div className="mt-4 max-w-3xl">
    <Alert variant="warning" title="Emails wait until a provider is set">
      Set <InlineCode>MAIL_FROM</InlineCode>, and <InlineCode>SMTP_URL</InlineCode>,{' '}
      <InlineCode>MAILGUN_API_KEY</InlineCode> or <InlineCode>SENDGRID_API_KEY</InlineCode>, and restart: what
      waits is sent then, unless it has expired. docs/configuration.md has each.
    </Alert>
  </div>
);

/** Shown also while there are none, so that the others keep their places. */
const ALWAYS: readonly MailState[] = ['waiting', 'sending', 'sent', 'failed', 'bounced'];

/** How many mails are in each state; each shows them. */
function Counts({ overview, open }: { overview: MailOverview; open: MailState | undefined }) {
  const states = (Object.keys(STATES) as MailState[]).filter(
    (state) => ALWAYS.includes(state) || state === open || countOf(overview, state) > 0,
  );
  const all = overview.states.reduce((sum, { count }) => sum + count, 0);
  return (
    <nav
      aria-label="Emails of the last 30 days by state"
      className="mb-4 grid grid-cols-[repeat(auto-fill,minmax(6.25rem,1fr))] gap-2"
    >
      {[undefined, ...states].map((state) => {
        const amount = state ? countOf(overview, state) : all;
        return (
          <Link
            key={state ?? 'all'}
            to="/ops/mail"
            search={(before) => ({ ...before, state })}
            activeOptions={{ exact: true }}
            className="rounded-md border bg-surface px-3 py-2 transition-colors hover:bg-hover aria-[current=page]:border-accent aria-[current=page]:bg-selected"
          >
            <span className="block text-sm text-muted">{state ? STATES[state] : 'All'}</span>
            <span className={`block text-lg font-medium ${amount === 0 ? 'text-muted' : ''}`}>
              <Figure>{number(amount)}</Figure>
            </span>
          </Link>
        );
      })}
    </nav>
  );
}

const ToCome = () => (
  <div className="mt-1">
    <Skeleton className="mt-1 h-4 w-72 max-w-full" />
    <div className="mt-8">
      <SkeletonRows rows={8} />
    </div>
  </div>
);
