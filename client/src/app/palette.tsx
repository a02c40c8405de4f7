import { useRouter } from '@tanstack/react-router';
import { type Command, CommandPalette } from '@/components/command-palette.tsx';
import { setTheme } from '@/lib/theme.ts';
import { navigationOf } from './navigation.ts';

/** The command palette with everything the route list offers, and the theme. */
export function Palette({ onClose }: { onClose: () => void }) {
  const router = useRouter();
  const go = (href: string) => () => router.history.push(href);
  const commands: Command[] = [
    ...navigationOf(router).map(({ to, label, icon }) => ({ label, icon, group: 'Go to', run: go(to) })),
    ...Object.values(router.routesByPath).flatMap(({ options }) =>
      (options.staticData?.commands ?? []).map(({ href, ...rest }) => ({
        ...rest,
        group: 'Do',
        run: go(href),
      })),
    ),
    { label: 'Theme as the system', icon: 'screen', group: 'Theme', run: () => setTheme('system') },
    { label: 'Light theme', icon: 'sun', group: 'Theme', run: () => setTheme('light') },
    { label: 'Dark theme', icon: 'moon', group: 'Theme', run: () => setTheme('dark') },
  ];
  return <CommandPalette commands={commands} onClose={onClose} />;
}
