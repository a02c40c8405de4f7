import type { ComponentType } from 'react';
import { ScreenHeading } from '@/kit/components/screen-heading.tsx';
import { withServerData } from '@/kit/lib/server-data.tsx';
import { OperatorsOnly } from './operators-only.tsx';

/**
 * A screen for operators: its heading, and what is below once one is signed in.
 *
 * @param about What it shows, for those who are asked to sign in.
 */
export const operatorsScreen = (title: string, about: string, Content: ComponentType) =>
  withServerData(function OperatorsScreen() {
    return (
      <OperatorsOnly title={title} about={`${about} For operators.`}>
        <div className="mx-auto max-w-screen-2xl px-4 py-6 md:px-8">
          <ScreenHeading title={title} />
          <Content />
        </div>
      </OperatorsOnly>
    );
  });
