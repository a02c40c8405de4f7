import type { ReactNode } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { Frame } from './kit/shell/frame.tsx';
import { navigationOf, placeOf } from './kit/shell/navigation.ts';
import { Tools } from './kit/shell/tools.tsx';
import { router } from './router.tsx';

const PlainLink = ({ to, className, children }: { to: string; className: string; children: ReactNode }) => (
  <a href={to} className={className}>
    {children}
  </a>
);

/** Keeps the room of what needs data. */
const roomOf = (place: 'organisation' | 'user') => placeOf(router, place) && <div className="h-9" />;

/** The shell as HTML, with an empty page in it. Runs at build time only. */
export const renderShell = () =>
  renderToStaticMarkup(
    <Frame
      items={navigationOf(router, { isOperator: false })}
      Anchor={PlainLink}
      organisation={roomOf('organisation')}
      user={roomOf('user')}
      tools={<Tools onSearch={() => {}} />}
    />,
  );
