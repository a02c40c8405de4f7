/** Words that a reader of this project must not have to translate. Each row: what is not written, and what to write instead. */
import { report, sourcesThat } from '../check-files.ts';

const WORDS: readonly (readonly [pattern: RegExp, instead: string])[] = [
  [/\bwhoever\b/i, 'name the actor: the client, the operator, the caller'],
  [/\bsomebody\b/i, 'name the actor: a client, an operator, another process'],
  [/\bunhurried\b/i, 'untimed'],
  [
    /(?<![A-Z_])(?:MOST|LEAST|LONGEST|SHORTEST|FEWEST)(?:_[A-Z]\w*)?(?![A-Z])/,
    'MAX_… or MIN_…, with the unit',
  ],
  [/\btold to stop\b/i, 'received SIGTERM, draining'],
  [/\bnothing (?:has )?caught\b/i, 'uncaught exception'],
  [/\bwaiting[ -]?line/i, 'queue'],
  [/\bdoors?\b|[a-z]Doors?\b/, 'entry point, check, limit or port'],
  [/remarkOn/, 'warnAbout…'],
  [/\bno such bytes\b/i, 'Range not satisfiable'],
  [/\bknock(?:s|ed|ing)?\b/i, 'connect, request'],
  [/\brubbish\b/i, 'expired rows, unused files'],
  [/\bsays? goodbye\b/i, 'ends, closes'],
  [/\bthe matter\b/i, 'the problem, the fault'],
];

/** A file with a quotation, or with rules about words. */
const EXEMPT = /^(?:scripts\/checks\/words(?:\.test)?\.ts|LICENSE)$/;
const TEXT = /\.(?:[cm]?[jt]sx?|md|ya?ml|css|html|sh|sql|json)$/;
const GENERATED = /^(?:package-lock\.json|drizzle\/meta\/)|\/package-lock\.json$/;

/** @returns Each word of the list in a text, as `file:line: 'word': instead, …`. */
export const wordsIn = (path: string, text: string): string[] =>
  text.split('\n').flatMap((line, index) =>
    WORDS.flatMap(([pattern, instead]) => {
      const found = pattern.exec(line)?.[0];
      return found === undefined ? [] : [`${path}:${index + 1}: '${found}': instead, ${instead}.`];
    }),
  );

if (import.meta.main) {
  const files = sourcesThat((path) => TEXT.test(path) && !EXEMPT.test(path) && !GENERATED.test(path));
  report(files.flatMap(({ path, code }) => wordsIn(path, code)));
}
