/** Joins class names and leaves out what is false. */
export const cn = (...classes: (string | false | undefined)[]) => classes.filter(Boolean).join(' ');

/** Everything that stands in one row has one height: 36 px, 44 px where a finger presses. */
export const CONTROL = 'h-9 pointer-coarse:h-11 max-md:h-11';

const BOX =
  'w-full min-w-0 rounded-md border border-field bg-surface text-base text-text max-md:text-[16px] disabled:opacity-50 data-disabled:opacity-50 aria-invalid:border-failing data-invalid:border-failing';

/** The look of a text box of one line. */
export const inputClass = `block ${BOX} px-3 ${CONTROL}`;

/** The look of a text box of several lines. */
export const textareaClass = `block ${BOX} min-h-32 px-3 py-2 align-top`;

/** The look of what opens a list of choices. */
export const triggerClass = `flex items-center justify-between gap-2 text-left ${BOX} pr-2 pl-3 ${CONTROL}`;

/** The surface of everything that lies over the page. */
export const popupClass =
  'rounded-lg border bg-surface text-text shadow-overlay outline-none transition-[opacity,transform] data-starting-style:translate-y-1 data-starting-style:opacity-0 data-ending-style:opacity-0';

/** One row of a menu or of a list of choices. */
export const optionClass =
  'flex min-h-8 cursor-pointer items-center gap-2 rounded-md px-2 py-1 text-sm outline-none select-none data-highlighted:bg-hover data-disabled:cursor-default data-disabled:opacity-50 pointer-coarse:min-h-11 max-md:min-h-11';
