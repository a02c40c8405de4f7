import { lazy, Suspense, useState } from 'react';
import { IconButton } from '@/kit/components/button.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';
import { useTheme } from '@/kit/lib/theme.ts';

const load = () => loadPart(() => import('./theme-choice.tsx'));
/** Ahead of the press; one that fails is tried again by it. */
const preload = () => {
  load().catch(() => {});
};
const ThemeChoice = lazy(async () => ({ default: (await load()).ThemeChoice }));

/** The switch of the theme. Its menu is loaded when it is pointed at, and opens with the press that asked for it. */
export function ThemeMenu() {
  const theme = useTheme();
  const [isAsked, setAsked] = useState(false);
  const button = (
    <IconButton
      icon={theme === 'system' ? 'screen' : theme === 'light' ? 'sun' : 'moon'}
      label="Theme"
      aria-haspopup="menu"
      onPointerEnter={preload}
      onFocus={preload}
      onClick={() => setAsked(true)}
    />
  );
  return isAsked ? (
    <Suspense fallback={button}>
      <ThemeChoice button={button} />
    </Suspense>
  ) : (
    button
  );
}
