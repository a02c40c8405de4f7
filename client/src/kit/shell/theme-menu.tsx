import { lazy } from 'react';
import { IconButton } from '@/kit/components/button.tsx';
import { LazyMenu } from '@/kit/components/lazy-menu.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';
import { useTheme } from '@/kit/lib/theme.ts';

const load = () => loadPart(() => import('./theme-choice.tsx'));
const ThemeChoice = lazy(async () => ({ default: (await load()).ThemeChoice }));

/** The theme button. */
export function ThemeMenu() {
  const theme = useTheme();
  const icon = theme === 'system' ? 'screen' : theme === 'light' ? 'sun' : 'moon';
  return (
    <LazyMenu load={load} button={<IconButton icon={icon} label="Theme" />}>
      {(button) => <ThemeChoice button={button} />}
    </LazyMenu>
  );
}
