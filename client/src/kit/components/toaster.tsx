import { Toast as Base } from '@base-ui/react/toast';
import { useEffect } from 'react';
import { buttonVariants, IconButton } from './button.tsx';
import { Icon, type IconName } from './icon.tsx';
import { receiveToasts, type ToastType } from './toast.tsx';

const ICONS: Partial<Record<ToastType, [icon: IconName, colour: string]>> = {
  success: ['check', 'text-ready'],
  warning: ['alert', 'text-degraded'],
  error: ['alert', 'text-failing'],
};

function Messages() {
  const { toasts, add, close } = Base.useToastManager();
  useEffect(
    () =>
      receiveToasts((title, type, { description, action, duration }) => {
        const id: string = add({
          title,
          description,
          type,
          priority: type === 'error' ? 'high' : 'low',
          ...(duration === undefined ? {} : { timeout: duration }),
          ...(action
            ? {
                actionProps: {
                  children: action.label,
                  onClick: () => {
                    close(id);
                    action.onClick();
                  },
                },
              }
            : {}),
        });
      }),
    [add, close],
  );
  return toasts.map((toast) => {
    const [icon, colour] = ICONS[toast.type as ToastType] ?? [];
    return (
      <Base.Root
        key={toast.id}
        toast={toast}
        className="pointer-events-auto absolute right-0 bottom-0 w-full translate-x-(--toast-swipe-movement-x) translate-y-[calc(var(--toast-swipe-movement-y)-var(--toast-offset-y)-var(--toast-index)*8px)] rounded-lg border bg-surface text-sm shadow-overlay transition-[opacity,translate] data-ending-style:opacity-0 data-limited:opacity-0 data-starting-style:opacity-0"
      >
        <Base.Content className="flex min-h-14 items-center gap-3 py-2 pr-2 pl-4">
          {icon && <Icon name={icon} className={`size-4 ${colour}`} />}
          <div className="min-w-0 grow leading-snug wrap-anywhere">
            <Base.Title render={<p />} className="line-clamp-2" />
            <Base.Description className="text-muted" />
          </div>
          <Base.Action className={buttonVariants({ variant: 'outline', size: 'sm' })} />
          {/* Base UI hides it in collapsed stacks; ours is always expanded. */}
          <Base.Close aria-hidden={false} render={<IconButton icon="close" label="Dismiss" />} />
        </Base.Content>
      </Base.Root>
    );
  });
}

/** Messages at the bottom of the window, the latest lowest. `toast.tsx` loads it. */
export const Toaster = () => (
  <Base.Provider timeout={8_000} limit={4}>
    <Base.Portal>
      <Base.Viewport
        aria-label="Messages"
        className="pointer-events-none fixed right-4 bottom-[calc(var(--bottom)+1rem)] z-40 md:w-104 max-md:left-4"
      >
        <Messages />
      </Base.Viewport>
    </Base.Portal>
  </Base.Provider>
);
