import { Avatar as Base } from '@base-ui/react/avatar';
import { cn } from '@/kit/lib/styles.ts';

const initials = (name: string) =>
  name
    .split(/\s+/)
    .map((word) => word.charAt(0))
    .filter((_, index, all) => index === 0 || index === all.length - 1)
    .join('')
    .toUpperCase();

/** The picture of a person or an organisation, or initials. Hidden from screen readers: show the name beside it, or label its button. */
export const Avatar = ({
  name,
  src,
  className = 'size-8',
}: {
  name: string;
  src?: string;
  className?: string;
}) => (
  <Base.Root
    aria-hidden="true"
    className={cn(
      'inline-flex shrink-0 items-center justify-center overflow-hidden rounded-full bg-selected text-xs font-medium text-text select-none',
      className,
    )}
  >
    {src !== undefined && <Base.Image src={src} alt="" className="size-full object-cover" />}
    <Base.Fallback>{initials(name)}</Base.Fallback>
  </Base.Root>
);
