interface ImportMetaEnv {
  /** The package's name as people read it, from `package.json` through `vite.config.ts`. */
  readonly APP_NAME: string;
  /** The parts that `npm run strip` may remove, through `vite.config.ts`. */
  readonly PARTS: import('./kit/first-steps/steps.ts').StrippablePart[];
}
