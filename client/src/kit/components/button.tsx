import type { ComponentProps } from 'react';
import { cn } from '@/kit/lib/styles.ts';
import { Icon, type IconName } from './icon.tsx';

const VARIANTS = {
  default: 'border-transparent bg-accent text-on-accent hover:opacity-90',
  outline: 'border-border bg-surface text-text hover:bg-hover',
  secondary: 'border-transparent bg-hover text-text hover:bg-selected',
  ghost: 'border-transparent hover:bg-hover',
  destructive: 'border-transparent bg-failing/10 text-failing hover:bg-failing/15',
  link: 'border-transparent text-accent underline-offset-4 hover:underline',
};

/** Every size is at least 44 px high on touch screens. */
const SIZES = {
  default: 'min-h-9 px-3.5 pointer-coarse:min-h-11 max-md:min-h-11',
  sm: 'min-h-8 px-3 pointer-coarse:min-h-11 max-md:min-h-11',
  lg: 'min-h-11 px-5 text-base',
  icon: 'size-9 pointer-coarse:size-11 max-md:size-11',
  'icon-sm': 'size-8 pointer-coarse:size-11 max-md:size-11',
};

type Looks = { variant?: keyof typeof VARIANTS; size?: keyof typeof SIZES };

/** The classes of a button, for links that look like one. */
export const buttonVariants = ({ variant = 'default', size = 'default' }: Looks = {}) =>
  `inline-flex shrink-0 items-center justify-center gap-2 rounded-md border text-sm font-medium whitespace-nowrap transition-colors aria-disabled:opacity-50 disabled:opacity-50 ${VARIANTS[variant]} ${SIZES[size]}`;

type Props = ComponentProps<'button'> &
  Looks & {
    icon?: IconName;
    /** The action is running: the button ignores presses and keeps the focus. */
    pending?: boolean;
  };

/** A button with a text label. It submits a form only with `type="submit"`. */
export function Button({
  variant,
  size,
  icon,
  pending = false,
  className,
  children,
  onClick,
  ...rest
}: Props) {
  return (
    <button
      type="button"
      aria-disabled={pending || undefined}
      aria-busy={pending || undefined}
      onClick={pending ? (event) => event.preventDefault() : onClick}
      className={cn(buttonVariants({ variant, size }), 'relative', className)}
      {...rest}
    >
      {pending && <Spinner />}
      {/* It keeps its width, so that nothing beside it moves. */}
      <span className={cn('inline-flex items-center gap-2', pending && 'opacity-0')}>
        {icon && <Icon name={icon} />}
        {children}
      </span>
    </button>
  );
}

const Spinner = () => (
  <span
    aria-hidden="true"
    className="absolute size-4 animate-spin rounded-full border-2 border-current border-r-transparent"
  />
);

/** A button with an icon only; `label` is its name. */
export function IconButton({
  icon,
  label,
  className,
  ...rest
}: ComponentProps<'button'> & { icon: IconName; label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={cn(
        buttonVariants({ variant: 'ghost', size: 'icon-sm' }),
        'text-muted hover:text-text data-popup-open:bg-hover',
        className,
      )}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}
