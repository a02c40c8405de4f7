/** Joins class names, ignoring false and undefined. */
export const cn = (...classes: (string | false | undefined)[]) => classes.filter(Boolean).join(' ');

/** The common height of controls: 36 px, and 44 px on touch screens and phones. */
const CONTROL = 'h-9 pointer-coarse:h-11 max-md:h-11';

const BOX =
  'w-full min-w-0 rounded-md border border-field bg-surface text-base text-text max-md:text-[16px] disabled:opacity-50 data-disabled:opacity-50 aria-invalid:border-failing';

/** The classes of a text input. */
export const inputClass = `block ${BOX} px-3 ${CONTROL}`;

/** The classes of a textarea. */
export const textareaClass = `block ${BOX} min-h-32 px-3 py-2 align-top`;

/** The classes of a select's trigger. */
export const triggerClass = `flex items-center justify-between gap-2 text-left ${BOX} pr-2 pl-3 ${CONTROL}`;

/** The classes of a popup's surface. */
export const popupClass =
  'rounded-lg border bg-surface text-text shadow-overlay outline-none transition-[opacity,transform] data-starting-style:translate-y-1 data-starting-style:opacity-0 data-ending-style:opacity-0';

/** The classes of a menu item or option. */
export const optionClass =
  'flex min-h-8 cursor-pointer items-center gap-2 rounded-md px-2 py-1 text-sm outline-none select-none data-highlighted:bg-hover data-disabled:cursor-default data-disabled:opacity-50 pointer-coarse:min-h-11 max-md:min-h-11';
