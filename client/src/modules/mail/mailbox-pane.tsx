import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { Fragment, type ReactNode } from 'react';
import type { MailboxMail } from '#contracts/mail.ts';
import { Badge } from '@/kit/components/badge.tsx';
import { buttonVariants } from '@/kit/components/button.tsx';
import { Code } from '@/kit/components/code.tsx';
import { CopyButton } from '@/kit/components/copy-button.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { ErrorState } from '@/kit/components/error-state.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { Skeleton } from '@/kit/components/skeleton.tsx';
import { Tabs, TabsContent, TabsList, TabsTrigger } from '@/kit/components/tabs.tsx';
import { statusOf } from '@/kit/lib/api.ts';
import { moment, number } from '@/kit/lib/format.ts';
import { useShortcut } from '@/kit/lib/shortcut.ts';
import { useTitle } from '@/kit/lib/use-title.ts';
import { mailQuery, sourceQuery } from './mailbox-queries.ts';

/** One mail of the mailbox, as its reader sees it, as text, and as it would be sent. */
export function MailboxPane() {
  const { id } = useParams({ strict: false }) as { id: string };
  const { data: mail, error, refetch } = useQuery(mailQuery(id));
  const navigate = useNavigate();
  useTitle(mail?.subject ?? 'Email');
  useShortcut('Escape', () => void navigate({ to: '/dev/mail' }));
  return (
    <div key={id} tabIndex={-1} data-focus className="flex min-h-full flex-col px-4 pb-4 md:px-8">
      {/* On phones the list is out of sight, and its heading with it: the mail is what the page is about. */}
      <h1 className="sr-only md:hidden">{mail?.subject ?? 'Email'}</h1>
      <div className="flex h-14 shrink-0 items-center md:hidden">
        <Link to="/dev/mail" className={`${buttonVariants({ variant: 'ghost' })} -ml-2`}>
          <Icon name="arrowLeft" />
          Mailbox
        </Link>
      </div>
      {mail ? (
        <Mail mail={mail} />
      ) : error ? (
        statusOf(error) === 404 ? (
          <Gone />
        ) : (
          <ErrorState error={error} onRetry={refetch} />
        )
      ) : (
        <Loading />
      )}
    </div>
  );
}

/** The addresses in a text, each once. */
const linksOf = (text: string) => [...new Set(text.match(/https?:\/\/[^\s<>"]+[^\s<>".,;:!?)]/g))];

function Mail({
  mail: { id, subject, from, to, template, createdAt, text, attachments },
}: {
  mail: MailboxMail;
}) {
  const links = linksOf(text);
  const items: [string, ReactNode][] = [
    ['From', from],
    ['To', to],
    ['Written', moment(createdAt)],
  ];
  if (links.length > 0)
    items.push([links.length === 1 ? 'Link' : 'Links', <Links key="links" links={links} />]);
  if (attachments.length > 0) {
    const list = attachments.map(({ name, type, bytes }) => (
      <li key={name}>
        {name} <span className="text-muted">{`${type}, ${size(bytes)}`}</span>
      </li>
    ));
    items.push(['Attachments', <ul key="attachments">{list}</ul>]);
  }
  return (
    <>
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-1 pb-2 md:pt-5">
        <h2 className="min-w-0 text-lg wrap-anywhere">{subject}</h2>
        <Badge variant="outline" className="mt-1 font-mono">
          {template}
        </Badge>
      </div>
      <Facts items={items} />
      <Tabs defaultValue="html" className="mt-2 flex grow flex-col">
        <TabsList aria-label="Forms of the email">
          <TabsTrigger value="html">HTML</TabsTrigger>
          <TabsTrigger value="text">Text</TabsTrigger>
          <TabsTrigger value="headers">Headers</TabsTrigger>
          <TabsTrigger value="source">Source</TabsTrigger>
        </TabsList>
        <TabsContent value="html" className="flex grow flex-col pt-4">
          {/* Without scripts, and of no origin: a mail is data. Its links open in a tab of their own. */}
          <iframe
            title={`The HTML of “${subject}”`}
            src={`/api/dev/mail/${id}/html`}
            sandbox="allow-popups allow-popups-to-escape-sandbox"
            className="min-h-[28rem] w-full grow rounded-md border bg-surface"
          />
        </TabsContent>
        <TabsContent value="text">
          <pre className="rounded-md border bg-surface px-4 py-3 font-mono text-xs leading-5 wrap-anywhere whitespace-pre-wrap">
            {text}
          </pre>
        </TabsContent>
        <TabsContent value="headers">
          <Source id={String(id)}>{(source) => <Facts items={headersOf(source)} />}</Source>
        </TabsContent>
        <TabsContent value="source">
          <Source id={String(id)}>{(source) => <Code label="Source" text={source} />}</Source>
        </TabsContent>
      </Tabs>
    </>
  );
}

const Gone = () => (
  <div className="grid justify-center pt-[25vh]">
    <Empty icon="inbox" title="This email is not in the mailbox">
      <p>It was sent, or written to another database.</p>
      <Link to="/dev/mail" className={buttonVariants({ variant: 'outline' })}>
        All emails
      </Link>
    </Empty>
  </div>
);

/** Names and values, close together: the mail itself is to be seen without scrolling. */
const Facts = ({ items }: { items: [name: string, value: ReactNode][] }) => (
  <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
    {items.map(([name, value]) => (
      <Fragment key={name}>
        <dt className="text-muted">{name}</dt>
        <dd className="min-w-0 wrap-anywhere">{value}</dd>
      </Fragment>
    ))}
  </dl>
);

const size = (bytes: number) => (bytes < 1_000 ? `${bytes} B` : `${number(bytes / 1_000)} kB`);

const Links = ({ links }: { links: string[] }) => (
  <ul className="-my-1.5 pointer-coarse:-my-3 max-md:-my-3">
    {links.map((link) => (
      <li key={link} className="flex items-start">
        <a
          href={link}
          target="_blank"
          rel="noreferrer"
          className="py-1.5 text-accent underline decoration-transparent underline-offset-4 hover:decoration-current pointer-coarse:py-3 max-md:py-3"
        >
          {link}
        </a>
        <CopyButton text={link} label={`Copy ${link}`} />
      </li>
    ))}
  </ul>
);

function Source({ id, children }: { id: string; children: (source: string) => ReactNode }) {
  const { data, error, refetch } = useQuery(sourceQuery(id));
  if (data !== undefined) return children(data);
  return error ? <ErrorState error={error} onRetry={refetch} /> : <Skeleton className="h-72" />;
}

/** The headers of a source (RFC 5322), unfolded. */
const headersOf = (source: string) =>
  (source.split(/\r?\n\r?\n/, 1)[0] ?? '')
    .replace(/\r?\n[ \t]+/g, ' ')
    .split(/\r?\n/)
    .map((line): [string, string] => [
      line.slice(0, line.indexOf(':')),
      line.slice(line.indexOf(':') + 1).trim(),
    ]);

const Loading = () => (
  <div aria-busy="true" className="space-y-4 md:pt-5">
    <Skeleton className="h-7 w-1/2" />
    <Skeleton className="h-4 w-2/3" />
    <Skeleton className="h-4 w-1/2" />
    <Skeleton className="h-72" />
  </div>
);
