import type { ChangeEvent, ComponentProps } from 'react';
import { cn } from '@/kit/lib/styles.ts';

type Props = Omit<ComponentProps<'textarea'>, 'value' | 'onChange'> & {
  value: string;
  onChange: (event: ChangeEvent<HTMLTextAreaElement>) => void;
};

/** A title as a text box that wraps and grows instead of cutting it off. It takes no line break: Enter goes to the next box. */
export const TitleInput = ({ className, value, onChange, ...rest }: Props) => (
  // The same text in the same place, unseen, gives the box its height in every browser.
  <div
    data-text={`${value} `}
    className={cn(
      'grid after:invisible after:col-start-1 after:row-start-1 after:px-2 after:py-1 after:wrap-anywhere after:whitespace-pre-wrap after:content-[attr(data-text)]',
      className,
    )}
  >
    <textarea
      rows={1}
      value={value}
      onChange={(event) => {
        event.target.value = event.target.value.replace(/\s*[\r\n]+\s*/g, ' ');
        onChange(event);
      }}
      onKeyDown={(event) => {
        if (event.key !== 'Enter') return;
        event.preventDefault();
        const boxes = [...(event.currentTarget.closest('main')?.querySelectorAll('textarea') ?? [])];
        boxes[boxes.indexOf(event.currentTarget) + 1]?.focus();
      }}
      className="col-start-1 row-start-1 resize-none overflow-hidden rounded-md bg-transparent px-2 py-1 wrap-anywhere transition-colors hover:bg-hover focus:bg-transparent"
      {...rest}
    />
  </div>
);
