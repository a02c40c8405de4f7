import { Tabs as Base } from '@base-ui/react/tabs';
import type { ComponentProps } from 'react';

/** Tabs within one screen. Use links for views that have their own address. */
export const Tabs = Base.Root;

export const TabsList = (props: ComponentProps<typeof Base.List>) => (
  <Base.List className="flex gap-5 overflow-x-auto border-b" {...props} />
);

export const TabsTrigger = (props: ComponentProps<typeof Base.Tab>) => (
  <Base.Tab
    className="min-h-10 border-b-2 border-transparent text-sm font-medium whitespace-nowrap text-muted hover:text-text aria-selected:border-accent aria-selected:text-text data-disabled:opacity-50 pointer-coarse:min-h-11 max-md:min-h-11"
    {...props}
  />
);

export const TabsContent = (props: ComponentProps<typeof Base.Panel>) => (
  <Base.Panel className="focus-inset rounded-md py-4" {...props} />
);
