import { type ReactNode, useEffect, useRef, useState } from 'react';
import { cn, textareaClass } from '@/kit/lib/styles.ts';
import { IconButton } from './button.tsx';
import { Markdown } from './markdown.tsx';

export type ChatMessage = {
  id: string;
  role: 'user' | 'assistant';
  text: string;
  /** Still being written. */
  isStreaming?: boolean;
  /** Shown below the text: sources, tools used, an error. */
  footer?: ReactNode;
};

/** Within this distance of the end, in pixels, the thread keeps scrolling. */
const AT_END_PX = 48;

/** A conversation. It scrolls with new text unless the reader has scrolled up. */
export function ChatThread({
  label,
  messages,
  empty,
}: {
  label: string;
  messages: ChatMessage[];
  empty?: ReactNode;
}) {
  const scroller = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const last = messages.at(-1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: scrolls on every addition
  useEffect(() => {
    const element = scroller.current;
    if (element && isAtEnd.current) element.scrollTop = element.scrollHeight;
  }, [messages.length, last?.text]);
  return (
    <div
      ref={scroller}
      role="log"
      aria-label={label}
      aria-busy={last?.isStreaming}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
      tabIndex={0}
      onScroll={({ currentTarget: { scrollHeight, scrollTop, clientHeight } }) => {
        isAtEnd.current = scrollHeight - scrollTop - clientHeight < AT_END_PX;
      }}
      className="focus-inset relative min-h-0 w-full grow space-y-5 overflow-y-auto rounded-md p-1"
    >
      {messages.length === 0 && empty}
      {messages.map(({ id, role, text, isStreaming, footer }) => (
        <article
          key={id}
          aria-label={role === 'user' ? 'You' : 'Assistant'}
          className={cn(role === 'user' && 'ml-auto w-fit max-w-[85%] rounded-lg bg-selected px-3.5 py-2')}
        >
          {role === 'user' ? (
            <p className="whitespace-pre-wrap wrap-anywhere">{text}</p>
          ) : (
            <Markdown>{text}</Markdown>
          )}
          {isStreaming && (
            <span aria-hidden="true" className="pulse mt-1 inline-block h-4 w-2 rounded-sm bg-muted" />
          )}
          {footer && <div className="mt-2 text-sm text-muted">{footer}</div>}
        </article>
      ))}
    </div>
  );
}

/** The message box: `Enter` sends, `Shift Enter` adds a line. While an answer streams, its button stops it. */
export function ChatComposer({
  label = 'Message',
  onSend,
  onStop,
}: {
  label?: string;
  onSend: (text: string) => void;
  /** Set while an answer is streaming. */
  onStop?: (() => void) | undefined;
}) {
  const [text, setText] = useState('');
  const send = () => {
    if (onStop || text.trim() === '') return;
    onSend(text.trim());
    setText('');
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        send();
      }}
      className="relative w-full"
    >
      <textarea
        aria-label={label}
        placeholder="Write a message"
        value={text}
        rows={1}
        onChange={(event) => setText(event.target.value)}
        onKeyDown={(event) => {
          // Input methods use Enter to confirm a composition.
          if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
          event.preventDefault();
          send();
        }}
        className={cn(textareaClass, 'field-sizing-content max-h-48 min-h-11! resize-none pr-12')}
      />
      {onStop ? (
        <IconButton
          icon="stop"
          label="Stop"
          onClick={onStop}
          className="absolute right-1 bottom-1.5 max-md:bottom-0"
        />
      ) : (
        <IconButton
          icon="send"
          label="Send"
          type="submit"
          disabled={text.trim() === ''}
          className="absolute right-1 bottom-1.5 max-md:bottom-0"
        />
      )}
    </form>
  );
}
