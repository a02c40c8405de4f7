import { describe, expect, it } from 'vitest';
import { withoutImports, withoutKeys, withoutSection } from './edits.ts';

const LIST = `import { a } from './modules/a/part.ts';
import {
  type B,
  b,
  c as d,
} from './modules/b/part.ts';
import type { Platform } from './platform/parts.ts';

export function createApp(platform: Platform) {
  const first = a(platform);
  const second = b(platform, { first });
  return {
    modules: [
      // The template's.
      a(platform),
      d(platform),
    ],
    named: 'a',
    also: platform.a,
  };
}
`;

describe('a list', () => {
  it('loses the imports of a part and each line that names what they bring', () => {
    expect(
      withoutImports(LIST, (path) => path.startsWith('./modules/b/')),
    ).toBe(`import { a } from './modules/a/part.ts';
import type { Platform } from './platform/parts.ts';

export function createApp(platform: Platform) {
  const first = a(platform);
  return {
    modules: [
      // The template's.
      a(platform),
    ],
    named: 'a',
    also: platform.a,
  };
}
`);
  });

  it('keeps what only looks like it: a property, a word in a text', () => {
    const without = withoutImports(LIST.replace("'a'", "'the a'"), (path) => path.startsWith('./modules/a/'));
    expect(without).toContain('also: platform.a,');
  });

  it('stays as it is where nothing belongs to the part', () => {
    expect(withoutImports(LIST, () => false)).toBe(LIST);
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

  it('must be there', () => {
    expect(() => withoutSection(PAGE, '## Three')).toThrow("'## Three'");
  });
});

it('takes keys out of package.json', () => {
  const json = '{\n  "scripts": {\n    "start": "x",\n    "test:lab": "y"\n  }\n}\n';
  expect(withoutKeys(json, ['scripts.test:lab', 'scripts.gone', 'nothing.here'])).toBe(
    '{\n  "scripts": {\n    "start": "x"\n  }\n}\n',
  );
});
