import { useEffect, useState } from 'react';
import type { endImpersonation } from '#contracts/accounts/admin.ts';
import { Button } from '@/kit/components/button.tsx';
import { Icon } from '@/kit/components/icon.tsx';
import { toast } from '@/kit/components/toast.tsx';
import { explain, request } from '@/kit/lib/api.ts';
import { span } from '@/kit/lib/format.ts';
import { goOn } from './me.ts';

const minutesUntil = (until: string) => Math.max(0, Math.ceil((Date.parse(until) - Date.now()) / 60_000));

/** A strip that stays as long as an operator acts as a user. */
export function Impersonation({ name, until }: { name: string; until: string }) {
  const [minutes, setMinutes] = useState(() => minutesUntil(until));
  const [isPending, setPending] = useState(false);
  useEffect(() => {
    const timer = setInterval(() => setMinutes(minutesUntil(until)), 15_000);
    return () => clearInterval(timer);
  }, [until]);
  const end = async () => {
    setPending(true);
    try {
      await request<typeof endImpersonation>('DELETE', '/api/account/impersonation');
      goOn('/admin/users');
    } catch (error) {
      setPending(false);
      toast.error(explain(error).title);
    }
  };
  return (
    <div
      data-notice
      role="status"
      className="fixed inset-x-0 bottom-[calc(var(--bar)+var(--banner))] z-10 flex h-(--notice) items-center justify-center gap-3 border-t-2 border-degraded bg-surface px-4 text-sm leading-tight md:left-[56px] lg:left-[224px]"
    >
      <Icon name="eye" className="size-4 text-degraded max-sm:hidden" />
      <p className="line-clamp-2 min-w-0 wrap-anywhere">
        You are acting as <strong className="font-medium">{name}</strong>
        <span className="text-muted"> for {span(minutes * 60_000)} more.</span>
      </p>
      <Button variant="outline" size="sm" pending={isPending} onClick={end} className="max-md:min-h-9">
        Stop acting as them
      </Button>
    </div>
  );
}
