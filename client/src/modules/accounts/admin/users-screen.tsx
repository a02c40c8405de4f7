import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { User, UserPage } from '#contracts/accounts/admin.ts';
import { buttonVariants } from '@/kit/components/button.tsx';
import { Empty } from '@/kit/components/empty.tsx';
import { Choice } from '@/kit/components/native-select.tsx';
import { NotPermitted } from '@/kit/components/not-permitted.tsx';
import { Pagination } from '@/kit/components/pagination.tsx';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { SearchBox } from '@/kit/components/search-box.tsx';
import { Table } from '@/kit/components/table.tsx';
import { statusOf } from '@/kit/lib/api.ts';
import { ago, capital, count, exactly } from '@/kit/lib/format.ts';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { usePages } from '@/kit/lib/use-pages.ts';
import { Loaded } from '../components.tsx';
import { TEXTS } from '../texts.ts';
import { rolesQuery, type UserFilter, usersQuery } from './admin-queries.ts';
import { RoleBadges, UserState } from './user-state.tsx';

const route = getRouteApi('/admin/users');
const STATES = ['active', 'unverified', 'banned'];

/** All users, for operators: search, filters in the address, pages. */
export const UsersScreen = withServerData(function UsersScreen() {
  const filter = route.useSearch() as UserFilter;
  const navigate = route.useNavigate();
  const { data: roles, error } = useQuery(rolesQuery);
  const set = (name: 'role' | 'state', value: string) =>
    void navigate({ search: (before) => ({ ...before, [name]: value || undefined }), replace: true });
  if (statusOf(error) === 403)
    return (
      <NotPermitted screen detail={TEXTS.operatorsOnly}>
        <Link to="/" className={buttonVariants()}>
          Go to the home screen
        </Link>
        <Link to="/account/{-$section}" params={{}} className={buttonVariants({ variant: 'outline' })}>
          Your account
        </Link>
      </NotPermitted>
    );
  return (
    <div className="mx-auto max-w-screen-2xl px-4 py-6 md:px-8">
      <div className="flex flex-wrap items-center justify-between gap-3">
        <ScreenHeading title="Users" />
        <Link to="/admin/users/invitations" className={buttonVariants({ variant: 'outline' })}>
          Invitations
        </Link>
      </div>
      <div className="my-4 flex flex-wrap gap-2">
        <div className="w-full sm:w-80">
          <SearchBox label="Search users" />
        </div>
        <Choice
          label="State"
          hidden
          value={filter.state ?? ''}
          onChange={({ target }) => set('state', target.value)}
        >
          <option value="">All states</option>
          {STATES.map((state) => (
            <option key={state} value={state}>
              {state === 'unverified' ? 'Not verified' : capital(state)}
            </option>
          ))}
        </Choice>
        <Choice
          label="Role"
          hidden
          value={filter.role ?? ''}
          onChange={({ target }) => set('role', target.value)}
        >
          <option value="">All roles</option>
          {roles?.map(({ name }) => (
            <option key={name} value={name}>
              {capital(name)}
            </option>
          ))}
        </Choice>
      </div>
      <Users filter={filter} />
    </div>
  );
});

function Users({ filter }: { filter: UserFilter }) {
  const pages = usePages(JSON.stringify(filter));
  const query = useQuery(usersQuery(filter, pages.cursor));
  return (
    <Loaded of={query}>
      {({ items, nextCursor }: UserPage) =>
        items.length === 0 ? (
          <Empty icon="search" title={TEXTS.users.none}>
            <p>{TEXTS.users.noneNext}</p>
          </Empty>
        ) : (
          <div className="space-y-3">
            <UserTable users={items} />
            <Pagination {...pages.buttons(nextCursor)}>{count(items.length, 'user')} on this page</Pagination>
          </div>
        )
      }
    </Loaded>
  );
}

const UserTable = ({ users }: { users: User[] }) => (
  <Table<User>
    cards
    caption="Users"
    minWidth={640}
    rows={users}
    rowKey={({ id }) => id}
    columns={[
      {
        header: 'User',
        cell: ({ id, name, email }) => (
          <>
            <Link
              to="/admin/users/$id"
              params={{ id }}
              className="inline-block font-medium underline-offset-4 wrap-anywhere hover:underline max-md:-my-3 max-md:py-3"
            >
              {name}
            </Link>
            <p className="text-muted wrap-anywhere">{email}</p>
          </>
        ),
      },
      { header: 'State', width: '8.5rem', cell: (user) => <UserState user={user} /> },
      { header: 'Roles', width: '8rem', cell: ({ roles }) => <RoleBadges roles={roles} /> },
      { header: 'Two-factor', width: '6.5rem', cell: ({ twoFactor }) => (twoFactor ? 'On' : 'Off') },
      {
        header: 'Last seen',
        width: '8rem',
        cell: ({ lastSeenAt }) =>
          lastSeenAt ? <span title={exactly(lastSeenAt)}>{ago(lastSeenAt)}</span> : 'Never',
      },
    ]}
  />
);
