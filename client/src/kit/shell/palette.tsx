import { useRouter } from '@tanstack/react-router';
import { useCallback } from 'react';
import { type Command, CommandPalette } from '@/kit/components/command-palette.tsx';
import { setTheme } from '@/kit/lib/theme.ts';
import { navigationOf, offeredRoutes } from './navigation.ts';
import { useVisitor } from './visitor.ts';

/** The command palette: navigation, commands of screens, their data, and the theme. */
export function Palette({ onClose }: { onClose: () => void }) {
  const router = useRouter();
  const visitor = useVisitor();
  const go = (href: string) => () => router.history.push(href);
  const routes = offeredRoutes(router, visitor);
  const commands: Command[] = [
    ...navigationOf(router, visitor).map(({ to, label, icon }) => ({
      label,
      icon,
      group: 'Go to',
      run: go(to),
    })),
    ...routes.flatMap(({ options }) =>
      (options.staticData?.commands ?? []).map(({ href, ...rest }) => ({
        ...rest,
        group: 'Do',
        run: go(href),
      })),
    ),
    { label: 'Use system theme', icon: 'screen', group: 'Theme', run: () => setTheme('system') },
    { label: 'Light theme', icon: 'sun', group: 'Theme', run: () => setTheme('light') },
    { label: 'Dark theme', icon: 'moon', group: 'Theme', run: () => setTheme('dark') },
  ];

  const find = useCallback(
    async (text: string, signal: AbortSignal): Promise<Command[]> => {
      const searches = offeredRoutes(router, visitor).flatMap(
        ({ options }) => options.staticData?.search ?? [],
      );
      const found = await Promise.all(
        searches.map(async ({ label: group, icon, find }) => {
          const hits = await find(text, signal);
          return hits.map(({ label, href }) => ({
            key: href,
            label,
            icon,
            group,
            run: () => router.history.push(href),
          }));
        }),
      );
      return found.flat();
    },
    [router, visitor],
  );
  const hasData = !visitor.isAnonymous && routes.some(({ options }) => options.staticData?.search);
  return <CommandPalette commands={commands} {...(hasData ? { find } : {})} onClose={onClose} />;
}
