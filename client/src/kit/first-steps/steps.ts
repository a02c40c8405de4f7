/** A part that `npm run strip` may remove. `vite.config.ts` reads them from the manifests, `part.json`. */
export type StrippablePart = {
  name: string;
  kind: 'module' | 'feature' | 'workshop';
  /** What it is for, in one sentence. */
  for: string;
  /** Parts that it needs, by name. */
  needs: string[];
  /** What to do with it first. */
  firstSteps?: Step[];
};

/** One thing to do. */
export type Step = {
  title: string;
  /** Why, or what happens. `Code` between backticks. */
  text: string;
  /** To type in a terminal, exactly; `tests/browser/home.e2e.ts` holds each against the repository. */
  commands?: string[];
  /** A user who is an operator has done it. */
  doneForOperators?: boolean;
};

/** @returns The command that removes a part together with those that need it. */
export function stripCommand(name: string, parts: StrippablePart[]): string {
  const goes = new Set([name]);
  // A set visits what is added while it is walked.
  for (const gone of goes) for (const part of parts) if (part.needs.includes(gone)) goes.add(part.name);
  return `npm run strip ${[...goes].join(' ')}`;
}

/** What a person does first, in order. */
export function firstSteps(parts: StrippablePart[]): Step[] {
  const samples = parts.filter(({ kind }) => kind === 'feature');
  return [
    {
      title: 'Rename it',
      text: 'The title, the log and the development database follow. Do this first.',
      commands: ['npm pkg set name=my-app'],
    },
    ...parts.flatMap(({ firstSteps = [] }) => firstSteps),
    ...samples.map(({ name }) => ({
      title: 'Delete the sample',
      text: `\`${name}\` is a complete feature to read and copy. Delete it when you no longer need it.`,
      commands: [stripCommand(name, parts)],
    })),
    {
      title: 'Add a feature',
      text: '`docs/recipes.md` has one from the table to the screen. Work with hot reload; after a change to a table, write its migration.',
      commands: ['npm run dev', 'npm run db:generate -- --name orders_create'],
    },
    {
      title: 'Make this page yours',
      text: 'In production `client/src/features/home/home-screen.tsx` is shown here instead. Write your own, and this page goes.',
    },
    {
      title: 'Test it',
      text: 'Format, lint and types; the tests; the tests in a browser.',
      commands: ['npm run check', 'npm test', 'npm run test:e2e'],
    },
    {
      title: 'Deploy it',
      text: 'As a container, or as one folder that needs Node and `DATABASE_URL`. On Replit, press Publish.',
      commands: ['docker build -t my-app .', 'npm run build', 'NODE_ENV=production npm start'],
    },
  ];
}

/** Addresses of this server that are no screens. */
export const LINKS = [
  { label: 'API', href: '/api/docs' },
  { label: 'Health, check by check', href: '/health' },
  { label: 'Ready for traffic', href: '/ready' },
  { label: 'Start-up, as data', href: '/api/status' },
];
