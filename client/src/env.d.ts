interface ImportMetaEnv {
  /** The package's name as people read it, from `package.json` through `vite.config.ts`. */
  readonly APP_NAME: string;
}
