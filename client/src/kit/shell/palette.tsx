import { useRouter } from '@tanstack/react-router';
import { type Command, CommandPalette } from '@/kit/components/command-palette.tsx';
import { setTheme } from '@/kit/lib/theme.ts';
import { useIsOperator } from '@/kit/operator/operator.ts';
import { navigationOf, offeredRoutes } from './navigation.ts';

/** The command palette: navigation, commands of screens, and the theme. */
export function Palette({ onClose }: { onClose: () => void }) {
  const router = useRouter();
  const isOperator = useIsOperator();
  const go = (href: string) => () => router.history.push(href);
  const commands: Command[] = [
    ...navigationOf(router, isOperator).map(({ to, label, icon }) => ({
      label,
      icon,
      group: 'Go to',
      run: go(to),
    })),
    ...offeredRoutes(router, isOperator).flatMap(({ options }) =>
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
  return <CommandPalette commands={commands} onClose={onClose} />;
}
