export interface ConfigProblem {
  /** The variable that held the value; it may be an alias or a `NAME_FILE`. */
  variable: string;
  problem: string;
  remedy: string;
  /** The file that held the variable; absent for the environment. */
  file?: string;
}

/** All problems at once, readable on a terminal. The process prints the message and exits with 78. */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];

  /** @param warnings Part of the message, because a misspelled variable often explains a missing one. */
  constructor(problems: readonly ConfigProblem[], warnings: readonly string[]) {
    const what = problems.length === 1 ? 'a setting is' : `${problems.length} settings are`;
    const parts = problems.map(({ variable, problem, remedy, file }) =>
      [`  ${variable}${file ? ` (in ${file})` : ''}`, `    ${problem}.`, `    → ${remedy}`].join('\n'),
    );
    const noticed = warnings.map((text) => `    - ${text}`);
    if (noticed.length > 0) parts.push(['  Warnings', ...noticed].join('\n'));
    super(`The server cannot start: ${what} invalid.\n\n${parts.join('\n\n')}\n`);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
