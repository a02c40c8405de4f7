import type { ComponentProps } from 'react';
import { Icon, type IconName } from './icon.tsx';

type Kind = 'primary' | 'secondary' | 'quiet' | 'danger';

const KINDS: Record<Kind, string> = {
  primary: 'border-transparent bg-accent text-on-accent hover:opacity-90',
  secondary: 'border-border bg-surface text-text hover:bg-hover',
  quiet: 'border-transparent text-text hover:bg-hover',
  danger: 'border-border bg-surface text-failing hover:bg-hover',
};

/** The look of a button, for links that stand among buttons. 44 px high where a finger presses, 32 px elsewhere. */
export const buttonClass = (kind: Kind = 'secondary') =>
  `inline-flex min-h-8 items-center justify-center gap-2 rounded-md border px-3 text-sm font-medium whitespace-nowrap transition-colors aria-disabled:opacity-50 disabled:opacity-50 pointer-coarse:min-h-11 max-md:min-h-11 ${KINDS[kind]}`;

type Props = ComponentProps<'button'> & { kind?: Kind; icon?: IconName };

/** A button with words. Never submits a form unless `type="submit"` says so. */
export function Button({ kind, icon, className = '', children, ...rest }: Props) {
  return (
    <button type="button" className={`${buttonClass(kind)} ${className}`} {...rest}>
      {icon && <Icon name={icon} />}
      {children}
    </button>
  );
}

/** A button with an icon only; `label` is what it is called. */
export function IconButton({
  icon,
  label,
  className = '',
  ...rest
}: ComponentProps<'button'> & { icon: IconName; label: string }) {
  return (
    <button
      type="button"
      aria-label={label}
      title={label}
      className={`inline-flex size-8 shrink-0 items-center justify-center rounded-md text-muted transition-colors hover:bg-hover hover:text-text pointer-coarse:size-11 max-md:size-11 ${className}`}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}
