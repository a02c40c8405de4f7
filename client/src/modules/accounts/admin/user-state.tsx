import type { User } from '#contracts/accounts/admin.ts';
import { Badge } from '@/kit/components/badge.tsx';
import { StateBadge } from '@/kit/components/state-badge.tsx';

export const UserState = ({ user: { ban, emailVerified } }: { user: User }) =>
  ban ? (
    <StateBadge state="failing">Banned</StateBadge>
  ) : emailVerified ? (
    <StateBadge state="ready">Active</StateBadge>
  ) : (
    <StateBadge state="degraded">Not verified</StateBadge>
  );

export const RoleBadges = ({ roles }: { roles: string[] }) => (
  <span className="flex flex-wrap gap-1">
    {roles.length === 0
      ? '–'
      : roles.map((role) => (
          <Badge key={role} variant={role === 'operator' ? 'default' : 'secondary'}>
            {role}
          </Badge>
        ))}
  </span>
);
