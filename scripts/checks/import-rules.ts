/**
 * Which folder may import which, and which may use the process. Docs: docs/architecture.md, "Owners".
 *
 * A file may import its own rank and those below it. Tests, benchmarks and `lab/` may import anything.
 */
import { posix } from 'node:path';
import { report, type Source, sourcesThat } from '../check-files.ts';

/** From the top down. The rank of a path is its first match. Folders of one row may import each other. */
const RANKS: readonly (readonly string[])[] = [
  ['server/main.ts'],
  ['server/app.ts', 'server/settings.ts'],
  ['server/features/'],
  ['server/modules/'],
  ['server/platform/process/'],
  [
    'server/platform/http/',
    'server/platform/parts.ts',
    'server/platform/jobs.ts',
    'server/platform/mailer.ts',
  ],
  [
    'server/platform/health/',
    'server/platform/logging/',
    'server/platform/metrics/',
    'server/platform/resilience/',
  ],
  ['server/platform/database/'],
  ['server/platform/config/', 'server/platform/lib/'],
  ['client/src/main.tsx', 'client/src/render-shell.tsx', 'client/src/router.tsx'],
  ['client/src/features/'],
  ['client/src/modules/'],
  ['client/src/kit/'],
  ['contracts/'],
];

/** The files that name parts. */
const LISTS = [
  'server/main.ts',
  'server/app.ts',
  'server/settings.ts',
  'client/src/main.tsx',
  'client/src/router.tsx',
];
/** Read before the port opens. */
const SETTINGS = /^server\/(?:(?:features|modules)\/[^/]+\/)?settings\.ts$/;
const PART = /^(?:server|client\/src)\/(?:features|modules)\/([^/]+)\//;

/** Restrictions on packages and Node's modules. By default a folder may import all of them. */
const PACKAGES: readonly (readonly [place: string, allowed: RegExp, why: string])[] = [
  ['contracts/', /^typebox$/, 'contracts/ imports its schema library, and nothing else.'],
  [
    'server/platform/config/',
    /^node:/,
    'platform/config runs before the port opens: it imports Node’s own modules alone.',
  ],
];

/** Text that is allowed in one place only. */
const TEXT: readonly (readonly [text: RegExp, places: RegExp, why: string])[] = [
  [
    /\bprocess\.env\b|\benv\b[^}\n]*\} = process\b/,
    /^server\/platform\/config\//,
    'Only platform/config reads environment variables.',
  ],
  [
    /\bprocess\.(?:exit|on|once)\(/,
    /^server\/(?:platform\/process\/|main\.ts)/,
    'Only platform/process ends the process and listens to its signals.',
  ],
];

const IMPORT =
  /^[ \t]*(?:import|export)\b[^'"`;]*?\bfrom\s*['"]([^'"]+)['"]|^[ \t]*import\s*['"]([^'"]+)['"]|\bimport\(\s*['"]([^'"]+)['"]/gm;

/** @returns Each violation as `file:line: what is wrong`. */
export function importViolations(sources: readonly Source[]): string[] {
  return sources.flatMap(({ path, code }) => {
    const text = withoutComments(code);
    const lineOf = (at: number) => `${path}:${code.slice(0, at).split('\n').length}`;
    const found: string[] = [];
    for (const match of text.matchAll(IMPORT)) {
      const [, from, bare, late] = match;
      const why = violation(path, from ?? bare ?? late ?? '');
      if (why) found.push(`${lineOf(match.index)}: ${why}`);
    }
    if (!path.startsWith('server/')) return found;
    for (const [pattern, places, why] of TEXT) {
      const at = text.search(pattern);
      if (at !== -1 && !places.test(path)) found.push(`${lineOf(at)}: ${why}`);
    }
    return found;
  });
}

function violation(from: string, specifier: string): string | undefined {
  const to = targetOf(from, specifier);
  if (SETTINGS.test(from) && !mayBeReadEarly(from, to, specifier))
    return 'A settings.ts is read before the port opens: it imports platform/config alone, and server/settings.ts those of the parts.';
  if (to === undefined) {
    const [, , why] =
      PACKAGES.find(([place, allowed]) => from.startsWith(place) && !allowed.test(specifier)) ?? [];
    return why;
  }
  const [fromRank, toRank] = [rankOf(from), rankOf(to)];
  if (fromRank === -1) return undefined;
  if (from.startsWith('server/') && to.startsWith('client/'))
    return 'The server imports nothing of the client.';
  if (from.startsWith('client/') && to.startsWith('server/'))
    return 'The client imports nothing of the server.';
  if (from.startsWith('contracts/') && !to.startsWith('contracts/'))
    return 'contracts/ imports its schema library, and nothing else.';
  if (toRank === -1 || toRank < fromRank)
    return `Imports point one way: ${nameOf(fromRank, from)} may not import ${nameOf(toRank, to)}.`;
  const [part, other] = [PART.exec(from)?.[1], PART.exec(to)?.[1]];
  const bothTables = from.endsWith('/table.ts') && to.endsWith('/table.ts');
  if (other !== undefined && part !== other && !LISTS.includes(from) && !bothTables)
    return `A part never imports another part (${part ?? from} → ${other}): hand over an interface of platform/parts.ts in server/app.ts.`;
  return undefined;
}

/** @param to Undefined: a package. */
function mayBeReadEarly(from: string, to: string | undefined, specifier: string): boolean {
  if (to === undefined) return specifier.startsWith('node:');
  return to.startsWith('server/platform/config/') || (from === 'server/settings.ts' && SETTINGS.test(to));
}

/** @returns The imported file; undefined for a package. */
function targetOf(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#contracts/')) return specifier.slice(1);
  // The alias of the kit: vite.config.ts.
  if (specifier.startsWith('@/components/ui/')) return `client/src/kit/components/${specifier.slice(16)}.tsx`;
  if (specifier.startsWith('@/')) return `client/src/${specifier.slice(2)}`;
  return specifier.startsWith('.') ? posix.join(posix.dirname(from), specifier) : undefined;
}

const rankOf = (path: string) =>
  /\.(?:json|css)$/.test(path)
    ? RANKS.length
    : RANKS.findIndex((places) => places.some((place) => path.startsWith(place)));

const nameOf = (rank: number, path: string) => RANKS[rank]?.find((place) => path.startsWith(place)) ?? path;

const COMMENT_OR_STRING =
  /(\/\*[\s\S]*?\*\/|\/\/[^\n]*)|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`/g;

/** Replaces comments by spaces, so that lines and columns stay. Strings are not changed. */
const withoutComments = (code: string) =>
  code.replace(COMMENT_OR_STRING, (all, comment?: string) => (comment ? all.replace(/[^\n]/g, ' ') : all));

if (import.meta.main) {
  const isSource = (path: string) => /\.tsx?$/.test(path) && !/\.(test|bench|e2e)\.tsx?$/.test(path);
  report(importViolations(sourcesThat(isSource, 'server', 'client', 'contracts')));
}
