import { describe, expect, it } from 'vitest';
import { needsIn, withoutKeys, withoutParts, withoutSection } from './edits.ts';

const LIST = `import { first } from './modules/birds/part.ts';
import {
  type B,
  b,
  c as d,
} from './modules/fish/part.ts';
import { notes } from './features/notes/part.ts';
import type { Platform } from './platform/parts.ts';

/** A fish, a bird: words of a comment name nothing. d. */
export function createApp(platform: Platform) {
  const birds = first(platform);
  const fish = b(platform, {
    birds,
    more: [
      platform,
    ],
  });
  return {
    modules: [
      // The template's.
      birds,
      fish,
      d(platform),
    ],
    features: [
      // Yours.
      notes({ db: platform.db, birds }),
    ],
    named: 'fish',
    also: platform.fish,
    fish: platform.other,
  };
}
`;

const partOf = (path: string) => /(?:modules|features)\/(\w+)\//.exec(path)?.[1];
const without = (part: string) => withoutParts(LIST, partOf, (one) => one === part);

describe('a list', () => {
  it('loses the imports of a part, and what names what they bring or what was made of it', () => {
    expect(without('fish')).toBe(`import { first } from './modules/birds/part.ts';
import { notes } from './features/notes/part.ts';
import type { Platform } from './platform/parts.ts';

/** A fish, a bird: words of a comment name nothing. d. */
export function createApp(platform: Platform) {
  const birds = first(platform);
  return {
    modules: [
      // The template's.
      birds,
    ],
    features: [
      // Yours.
      notes({ db: platform.db, birds }),
    ],
    named: 'fish',
    also: platform.fish,
    fish: platform.other,
  };
}
`);
  });

  it('loses what a part hands to another on a line of its own', () => {
    expect(without('birds')).toContain('  const fish = b(platform, {\n    more: [');
    expect(without('birds')).not.toContain('birds');
  });

  it('loses what is spread into it', () => {
    const list =
      "import { a } from './modules/a/settings.ts';\nexport const all = {\n  ...a,\n  ...other.a,\n};\n";
    const partOf = (specifier: string) => (specifier.startsWith('./modules/a/') ? 'a' : undefined);
    expect(withoutParts(list, partOf, () => true)).toBe('export const all = {\n  ...other.a,\n};\n');
  });

  it.each([
    ['export const all = [\n  first,\n  second, fish(1)];\n', 4],
    ['const {\n  one,\n} = fish(1);\n', 4],
    ['export const all =\n  fish(1);\n', 3],
    ['export const all = one\n  ? fish(1)\n  : two;\n', 3],
    ['fish(1)\n  .more();\n', 2],
  ])('is refused where the edit would leave half a statement: %j', (rest, line) => {
    const code = `import { fish } from './modules/fish/part.ts';\n${rest}`;
    expect(() => withoutParts(code, partOf, (one) => one === 'fish')).toThrow(
      expect.objectContaining({ line, part: 'fish' }),
    );
  });

  it('stays as it is where nothing belongs to the part', () => {
    expect(without('mice')).toBe(LIST);
  });

  it('says that a part needs what it is handed on its own line, and only that', () => {
    expect(needsIn(LIST, partOf)).toEqual([['notes', 'birds']]);
  });
});

describe('a section', () => {
  const PAGE = '# Page\n\n## One\n\n```sh\n# no heading\n```\n\n### Deeper\n\ntext\n\n## Two\n\nlast\n';

  it('goes with its own sections, up to the next of its rank; a line of code is no heading', () => {
    expect(withoutSection(PAGE, '## One')).toBe('# Page\n\n## Two\n\nlast\n');
    expect(withoutSection(PAGE, '### Deeper')).toBe(
      '# Page\n\n## One\n\n```sh\n# no heading\n```\n\n## Two\n\nlast\n',
    );
    expect(withoutSection(PAGE, '## Two')).toBe(
      '# Page\n\n## One\n\n```sh\n# no heading\n```\n\n### Deeper\n\ntext\n',
    );
  });

  it('may be gone already', () => {
    expect(withoutSection(PAGE, '## Three')).toBe(PAGE);
  });
});

it('takes keys out of package.json', () => {
  const json = '{\n  "scripts": {\n    "start": "x",\n    "test:lab": "y"\n  }\n}\n';
  expect(withoutKeys(json, ['scripts.test:lab', 'scripts.gone', 'nothing.here'])).toBe(
    '{\n  "scripts": {\n    "start": "x"\n  }\n}\n',
  );
});
