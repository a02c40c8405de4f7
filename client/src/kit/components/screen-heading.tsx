import { useTitle } from '@/kit/lib/use-title.ts';

/** The name of a screen: its heading, its page title, and where the focus goes when it opens. */
export function ScreenHeading({ title, className = 'text-xl' }: { title: string; className?: string }) {
  useTitle(title);
  return (
    <h1 tabIndex={-1} data-focus className={className}>
      {title}
    </h1>
  );
}
