import { createContext, type ReactNode, use } from 'react';
import { Code } from '@/components/ui/code';

/** The text of the file that the samples around stand in: what is shown is what runs. */
export const Source = createContext('');

/** The lines between a sample's tags, without their indentation. */
function codeOf(source: string, name: string) {
  const start = source.indexOf('>\n', source.indexOf(`<Sample name="${name}"`)) + 2;
  const lines = source.slice(start, source.indexOf('</Sample>', start)).trimEnd().split('\n');
  const indent = Math.min(...lines.filter(Boolean).map((line) => line.search(/\S/)));
  return lines.map((line) => line.slice(indent)).join('\n');
}

/** One part in its states, with the code that uses it. @param from Its file under `@/components/ui/`. */
export function Sample({ name, from, children }: { name: string; from: string; children: ReactNode }) {
  const source = use(Source);
  return (
    <section aria-label={name} className="flex min-w-0 flex-col rounded-lg border bg-surface">
      <div className="flex flex-wrap items-baseline justify-between gap-x-4 px-5 pt-4">
        <h2 className="text-sm">{name}</h2>
        <code className="font-mono text-xs text-muted">@/components/ui/{from}</code>
      </div>
      <div className="flex grow flex-wrap content-start items-center gap-3 p-5">{children}</div>
      <details className="border-t px-5 py-2 text-sm">
        <summary className="w-fit rounded-sm py-1 text-muted hover:text-text">Code</summary>
        <div className="pt-1 pb-2">
          <Code label={`Code of ${name}`} text={codeOf(source, name)} />
        </div>
      </details>
    </section>
  );
}
