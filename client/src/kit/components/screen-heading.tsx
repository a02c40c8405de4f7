import { useTitle } from '@/kit/lib/use-title.ts';

/** The screen's heading. It also sets the page title and takes the focus when the screen opens. */
export function ScreenHeading({ title, className = 'text-xl' }: { title: string; className?: string }) {
  useTitle(title);
  return (
    <h1 tabIndex={-1} data-focus className={className}>
      {title}
    </h1>
  );
}
