import type { ReactNode } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { Frame } from './kit/shell/frame.tsx';
import { navigationOf } from './kit/shell/navigation.ts';
import { Tools } from './kit/shell/tools.tsx';
import { router } from './router.tsx';

const PlainLink = ({ to, className, children }: { to: string; className: string; children: ReactNode }) => (
  <a href={to} className={className}>
    {children}
  </a>
);

/** The shell as HTML, with an empty page in it. Runs at build time only. */
export const renderShell = () =>
  renderToStaticMarkup(
    <Frame items={navigationOf(router, false)} Anchor={PlainLink} tools={<Tools onSearch={() => {}} />} />,
  );
