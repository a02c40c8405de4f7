import { Tooltip as Base } from '@base-ui/react/tooltip';
import type { ReactElement, ReactNode } from 'react';
import { useOverlayRoot } from '@/kit/lib/overlay-root.ts';
import { cn, popupClass } from '@/kit/lib/styles.ts';

/** Describes `children`, a control, on hover and on focus. Touch screens have no hover: never put essential text here. */
export const Tooltip = ({ content, children }: { content: ReactNode; children: ReactElement }) => (
  <Base.Root>
    <Base.Trigger delay={400} render={children} />
    <Base.Portal container={useOverlayRoot()}>
      <Base.Positioner sideOffset={6} collisionPadding={8} className="z-40">
        <Base.Popup className={cn(popupClass, 'max-w-64 px-2.5 py-1 text-xs')}>{content}</Base.Popup>
      </Base.Positioner>
    </Base.Portal>
  </Base.Root>
);
