import { lazy, Suspense, useState } from 'react';
import { IconButton } from '@/kit/components/button.tsx';
import { loadPart } from '@/kit/lib/deployment.ts';
import { useTheme } from '@/kit/lib/theme.ts';

const load = () => loadPart(() => import('./theme-choice.tsx'));
/** Loads it early. If that fails, the press tries again. */
const preload = () => {
  load().catch(() => {});
};
const ThemeChoice = lazy(async () => ({ default: (await load()).ThemeChoice }));

/** The theme button. Its menu loads on hover or focus and opens on the first press. */
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
