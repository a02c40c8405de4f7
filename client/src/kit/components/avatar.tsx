import { useState } from 'react';
import { cn } from '@/kit/lib/styles.ts';

const initials = (name: string) =>
  name
    .split(/\s+/)
    .map((word) => word.charAt(0))
    .filter((_, index, all) => index === 0 || index === all.length - 1)
    .join('')
    .toUpperCase();

/**
 * The picture of a person or an organisation; initials where there is none, or where it does not load. Hidden from screen
 * readers: show the name beside it, or label its button.
 */
export function Avatar({
  name,
  src,
  className = 'size-8',
}: {
  name: string;
  src?: string;
  className?: string;
}) {
  const [broken, setBroken] = useState<string>();
  return (
    <span
      aria-hidden="true"
      className={cn(
        'inline-flex shrink-0 items-center justify-center overflow-hidden rounded-full bg-selected text-xs font-medium text-text select-none',
        className,
      )}
    >
      {src === undefined || src === broken ? (
        initials(name)
      ) : (
        <img src={src} alt="" onError={() => setBroken(src)} className="size-full object-cover" />
      )}
    </span>
  );
}
