import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import { useState } from 'react';
import {
  banUser,
  type endUserSessions,
  impersonate,
  type setRoles,
  type User,
  type unbanUser,
} from '#contracts/accounts/admin.ts';
import { Confirm } from '@/kit/components/alert-dialog.tsx';
import { Avatar } from '@/kit/components/avatar.tsx';
import { Button, buttonVariants } from '@/kit/components/button.tsx';
import { DescriptionList } from '@/kit/components/description-list.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { Field } from '@/kit/components/field.tsx';
import { Form } from '@/kit/components/form.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { request, statusOf } from '@/kit/lib/api.ts';
import { capital, count, exactly, list } from '@/kit/lib/format.ts';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { useForm } from '@/kit/lib/use-form.ts';
import { useVisitor } from '@/kit/shell/visitor.ts';
import { useAct } from '../account-queries.ts';
import { ActDialog, Choices, FormFooter, Loaded, Section, tell } from '../components.tsx';
import { goOn } from '../me.ts';
import { TEXTS } from '../texts.ts';
import { rolesQuery, userQuery } from './admin-queries.ts';
import { RoleBadges, UserState } from './user-state.tsx';

const route = getRouteApi('/admin/users/$id');

/** One user: what is known, and what an operator may do. */
export const UserScreen = withServerData(function UserScreen() {
  const { id } = route.useParams();
  const query = useQuery(userQuery(id));
  return (
    <div className="mx-auto max-w-screen-2xl px-4 py-6 md:px-8">
      {statusOf(query.error) === 404 ? (
        <Empty icon="user" title="There is no such user">
          <p>The account may have been deleted.</p>
          <Link to="/admin/users" className={buttonVariants()}>
            All users
          </Link>
        </Empty>
      ) : (
        <div className="max-w-3xl">
          <Loaded of={query}>{(user) => <Record user={user} />}</Loaded>
        </div>
      )}
    </div>
  );
});

function Record({ user }: { user: User }) {
  const { me } = useVisitor();
  const isMe = me?.user?.id === user.id;
  const end = useAct(
    () =>
      request<typeof endUserSessions>('DELETE', '/api/admin/users/:id/sessions', {
        params: { id: user.id },
      }),
    ['users'],
  );
  return (
    <>
      <div className="mb-5 flex flex-wrap items-center gap-4">
        <Avatar name={user.name} className="size-12" />
        <div className="min-w-0 grow">
          <ScreenHeading title={user.name} className="text-xl wrap-anywhere" />
          <p className="text-muted wrap-anywhere">{user.email}</p>
        </div>
        <UserState user={user} />
      </div>
      <div className="space-y-4">
        <Section title="Account">
          <DescriptionList
            items={[
              ['Roles', <RoleBadges key="roles" roles={user.roles} />],
              ['Email', user.emailVerified ? 'Verified' : 'Not verified'],
              ['Two-factor authentication', user.twoFactor ? 'On' : 'Off'],
              ['Joined', exactly(user.createdAt)],
              ['Last seen', user.lastSeenAt ? exactly(user.lastSeenAt) : 'Never'],
              [
                'Id',
                <code key="id" className="font-mono">
                  {user.id}
                </code>,
              ],
            ]}
          />
        </Section>
        <Roles key={user.roles.join()} user={user} />
        <Section
          title="Sessions"
          lead={
            user.sessions === 0 ? 'Signed in nowhere.' : `Signed in with ${count(user.sessions, 'session')}.`
          }
          action={
            user.sessions > 0 && (
              <Confirm
                trigger={<Button variant="outline">End all</Button>}
                title="End all sessions?"
                action="End sessions"
                onConfirm={() => end.mutateAsync()}
              >
                {TEXTS.users.endSessions}
              </Confirm>
            )
          }
        />
        {!isMe && (
          <>
            <Section
              title="Act as this user"
              lead={TEXTS.users.impersonate}
              action={!user.ban && <Impersonate user={user} />}
            />
            <Section
              title={user.ban ? 'Banned' : 'Ban'}
              lead={
                user.ban
                  ? `${user.ban.until ? `Until ${exactly(user.ban.until)}` : 'For good'}, since ${exactly(user.ban.since)}: “${user.ban.reason}”. ${TEXTS.users.unban}`
                  : TEXTS.users.ban
              }
              action={user.ban ? <Unban user={user} /> : <Ban user={user} />}
            />
          </>
        )}
      </div>
    </>
  );
}

function Roles({ user }: { user: User }) {
  const { data } = useQuery(rolesQuery);
  const [roles, setRolesTo] = useState(user.roles);
  const save = useAct(async () => {
    await request<typeof setRoles>('PUT', '/api/admin/users/:id/roles', {
      params: { id: user.id },
      body: { roles },
    });
    toast.success('Roles saved');
  }, ['users']);
  const isSame = roles.toSorted().join() === user.roles.toSorted().join();
  return (
    <Section title="Roles" lead={TEXTS.users.roles}>
      <form
        className="space-y-3"
        onSubmit={(event) => {
          event.preventDefault();
          if (!save.isPending) save.mutate(undefined, { onError: tell });
        }}
      >
        <fieldset>
          <legend className="sr-only">Roles</legend>
          <Choices
            of={(data ?? []).map(({ name, permissions }) => ({
              name,
              label: capital(name),
              description: permissions.length > 0 ? list(permissions) : 'No permissions of its own',
            }))}
            chosen={roles}
            onChange={setRolesTo}
          />
        </fieldset>
        <Button type="submit" disabled={isSame} pending={save.isPending}>
          Save roles
        </Button>
      </form>
    </Section>
  );
}

const Ban = ({ user }: { user: User }) => (
  <ActDialog
    trigger={<Button variant="destructive">Ban</Button>}
    title={`Ban ${user.name}?`}
    lead={TEXTS.users.ban}
  >
    {(close) => <BanForm user={user} onDone={close} />}
  </ActDialog>
);

function BanForm({ user, onDone }: { user: User; onDone: () => void }) {
  const ban = useAct(
    (body: { reason: string; until?: string }) =>
      request<typeof banUser>('POST', '/api/admin/users/:id/ban', { params: { id: user.id }, body }),
    ['users'],
  );
  const form = useForm(banUser, {
    guard: false,
    async send({ reason, until }) {
      await ban.mutateAsync({ reason, ...(until && { until: new Date(until).toISOString() }) });
      onDone();
    },
  });
  return (
    <Form of={form} className="space-y-4">
      <Field
        {...form.field('reason')}
        label="Reason"
        description={TEXTS.users.banReason}
        multiline
        autoFocus
      />
      <Field {...form.field('until')} label="Until" description="Leave it empty to ban for good." />
      <FormFooter of={form} action={`Ban ${user.name}`} variant="destructive" />
    </Form>
  );
}

function Unban({ user }: { user: User }) {
  const unban = useAct(
    () => request<typeof unbanUser>('DELETE', '/api/admin/users/:id/ban', { params: { id: user.id } }),
    ['users'],
  );
  return (
    <Button
      variant="outline"
      pending={unban.isPending}
      onClick={() => unban.mutate(undefined, { onError: tell })}
    >
      Lift the ban
    </Button>
  );
}

const Impersonate = ({ user }: { user: User }) => (
  <ActDialog
    trigger={<Button variant="outline">Act as…</Button>}
    title={`Act as ${user.name}?`}
    lead={TEXTS.users.impersonate}
  >
    {() => <ImpersonateForm user={user} />}
  </ActDialog>
);

function ImpersonateForm({ user }: { user: User }) {
  const form = useForm(impersonate, {
    guard: false,
    async send(body) {
      await request<typeof impersonate>('POST', '/api/admin/users/:id/impersonation', {
        params: { id: user.id },
        body,
      });
      goOn('/');
    },
  });
  return (
    <Form of={form} className="space-y-4">
      <Field {...form.field('reason')} label="Reason" multiline autoFocus />
      <FormFooter of={form} action={`Act as ${user.name}`} />
    </Form>
  );
}
