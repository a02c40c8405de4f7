import type { ReactNode } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { router } from '../router.tsx';
import { Frame } from './frame.tsx';
import { navigationOf } from './navigation.ts';
import { Tools } from './tools.tsx';

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
