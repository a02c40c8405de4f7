/** A line of a card: a command, a link, or a note. */
export type Line = {
  label: string;
  /** What to type in a terminal, exactly; `tests/browser/home.e2e.ts` holds each against the repository. */
  command?: string;
  /** An address of this server to open. */
  href?: string;
  /** Shown only if the client has this screen, so that it disappears with the sample. */
  whileRoute?: string;
};

/** Next steps, in three cards. */
export const CARDS: { title: string; lines: Line[] }[] = [
  {
    title: 'Make it yours',
    lines: [
      { label: 'Rename it', command: 'npm pkg set name=my-app' },
      {
        label: 'Remove the sample, and the workshop of the template',
        command: 'npm run strip notes lab',
        whileRoute: '/notes',
      },
      { label: 'Work on it, with hot reload', command: 'npm run dev' },
      { label: 'See which parts may go', command: 'npm run strip' },
      { label: 'After changing a table', command: 'npm run db:generate -- --name notes_add_colour' },
    ],
  },
  {
    title: 'Look inside',
    lines: [
      { label: 'Figures, routes, errors, logs, alerts', href: '/ops' },
      { label: 'The API, described', href: '/api/docs' },
      { label: 'Is it healthy, check by check', href: '/health' },
      { label: 'Is it ready for traffic', href: '/ready' },
      { label: 'Is the process alive', href: '/live' },
      { label: 'What it did to start, as data', href: '/api/status' },
    ],
  },
  {
    title: 'Ship it',
    lines: [
      { label: 'Test everything that needs no browser', command: 'npm test' },
      { label: 'Build one folder that needs no node_modules', command: 'npm run build' },
      { label: 'Run it, with DATABASE_URL set', command: 'NODE_ENV=production npm start' },
      { label: 'Or pack it', command: 'docker build -t my-app .' },
      { label: 'On Replit: import the repository and press Publish.' },
    ],
  },
];
