import { useEffect, useState } from 'react';
import { IconButton } from './button.tsx';

/** Fallback without TLS, where `navigator.clipboard` is missing. */
function copyBySelection(text: string) {
  const area = document.createElement('textarea');
  area.value = text;
  area.className = 'sr-only';
  document.body.append(area);
  area.select();
  const copied = document.execCommand('copy');
  area.remove();
  return copied;
}

/** Copies `text` and confirms it for two seconds. */
export function CopyButton({ text, label = 'Copy' }: { text: string; label?: string }) {
  const [said, setSaid] = useState<'Copied' | 'Could not copy'>();
  useEffect(() => {
    if (said === undefined) return;
    const timer = setTimeout(() => setSaid(undefined), 2_000);
    return () => clearTimeout(timer);
  }, [said]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setSaid('Copied');
    } catch {
      setSaid(copyBySelection(text) ? 'Copied' : 'Could not copy');
    }
  };
  return (
    <span className="inline-flex shrink-0">
      <IconButton icon={said === 'Copied' ? 'check' : 'copy'} label={label} onClick={copy} />
      <span role="status" className="sr-only">
        {said}
      </span>
    </span>
  );
}
