import { CopyButton } from './copy-button.tsx';

/** Code or output in a scrolling box with a copy button. @param copied The text to copy, where it differs from `text`. */
export const Code = ({ label, text, copied = text }: { label: string; text: string; copied?: string }) => (
  <div className="flex w-full items-start gap-1 rounded-md border bg-background pr-0.5 pl-3">
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
    <section aria-label={label} tabIndex={0} className="relative max-h-72 min-w-0 grow overflow-auto py-2">
      <pre className="font-mono text-xs leading-5">{text}</pre>
    </section>
    <CopyButton text={copied} label={`Copy: ${label.charAt(0).toLowerCase()}${label.slice(1)}`} />
  </div>
);

export const InlineCode = ({ children }: { children: string }) => (
  <code className="rounded-sm bg-hover px-1 py-0.5 font-mono text-[0.9em] wrap-anywhere">{children}</code>
);
