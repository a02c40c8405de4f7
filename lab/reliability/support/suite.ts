import { spawnSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { inject } from 'vitest';
import type { Row } from './rows.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the figures of a run are collected, one JSON document a line. */
    figures: string;
  }
}

/** What continuous integration runs: fewer repeats and shorter faults, held to the same times. */
export const SHORT = process.env.RELIABILITY === 'short';
/** For a machine that has other things to do: every limit of time is so many times as long, and nothing is written down. */
export const SLACK = Number(process.env.RELIABILITY_SLACK ?? 1);

/** @returns The first in a full run, the second in a short one. */
export const fullOrShort = <Value>(full: Value, short: Value): Value => (SHORT ? short : full);

/** A limit of time that a test asserts, in milliseconds. */
export const within = (ms: number): number => ms * SLACK;

/** What one line of the collected figures holds. */
export type Figure = { row: Row; figure: string } | { acknowledged: number; missing: number };

/** Prints what was measured, and keeps it for docs/reliability.md. */
export function record(row: Row, figure: string): void {
  console.log(`${row}: ${figure}`);
  collect({ row, figure });
}

export function collect(figure: Figure): void {
  appendFileSync(inject('figures'), `${JSON.stringify(figure)}\n`);
}

/** Whether programs that a test needs are there; says which are not. */
export function has(...programs: string[]): boolean {
  const missing = programs.filter((name) => spawnSync('which', [name]).status !== 0);
  if (missing.length > 0) console.warn(`not tested, because this machine has no ${missing.join(', ')}`);
  return missing.length === 0;
}

export const ms = (value: number): string => `${value.toFixed(value < 10 ? 1 : 0)} ms`;
