import { describe, expect, it } from 'vitest';
import { Lifecycle, type Transition } from './lifecycle.ts';

describe('Lifecycle', () => {
  it('moves from starting to stopped and reports each transition once, with how long the state lasted', () => {
    const lifecycle = new Lifecycle([]);
    const seen: Transition[] = [];
    lifecycle.onTransition((transition) => seen.push(transition));
    for (const state of ['migrating', 'ready', 'ready', 'draining', 'stopped'] as const) lifecycle.to(state);
    expect(seen.map(({ from, to }) => `${from} ${to}`)).toEqual([
      'starting migrating',
      'migrating ready',
      'ready draining',
      'draining stopped',
    ]);
    for (const { lastedMs } of seen) expect(lastedMs).toBeGreaterThanOrEqual(0);
  });

  it.each([
    ['ready', 'migrating'],
    ['draining', 'ready'],
    ['stopped', 'ready'],
  ] as const)('refuses to go from %s to %s', (from, to) => {
    const lifecycle = new Lifecycle([]);
    lifecycle.to(from);
    expect(() => lifecycle.to(to)).toThrow(`no way from ${from} to ${to}`);
  });

  it.each(['ready', 'draining', 'stopped'] as const)('ends start-up when it becomes %s', async (state) => {
    const lifecycle = new Lifecycle([]);
    expect(lifecycle.startingUp).toBe(true);
    lifecycle.to(state);
    await lifecycle.startupOver;
    expect(lifecycle.startingUp).toBe(false);
    expect(lifecycle.started).toBe(state === 'ready');
  });

  it('stays started while draining', () => {
    const lifecycle = new Lifecycle([]);
    lifecycle.to('ready');
    lifecycle.to('draining');
    expect(lifecycle.started).toBe(true);
  });

  it('keeps times and notes of start-up steps, in their declared order', async () => {
    const lifecycle = new Lifecycle(['first', 'second', 'third']);
    await lifecycle.step(
      'second',
      async () => 3,
      (applied) => `${applied} applied`,
    );
    await expect(
      lifecycle.step('first', () => {
        throw new Error('broken');
      }),
    ).rejects.toThrow('broken');
    expect(lifecycle.startup).toMatchObject([
      { step: 'first', status: 'failed', durationMs: expect.any(Number) },
      { step: 'second', status: 'done', note: '3 applied', startedAtMs: expect.any(Number) },
      { step: 'third', status: 'pending', startedAtMs: null },
    ]);
  });

  it('refuses a step that was not declared', async () => {
    await expect(new Lifecycle(['port']).step('prot', () => {})).rejects.toThrow("'prot' is not a declared");
  });

  it('resolves nextQuestion with a question, one second later at the earliest', async () => {
    const lifecycle = new Lifecycle([]);
    const began = performance.now();
    const waited = lifecycle.nextQuestion(new AbortController().signal);
    const asking = setInterval(() => lifecycle.ask(), 50);
    await waited;
    clearInterval(asking);
    expect(performance.now() - began).toBeGreaterThan(950);
  });

  it('stops waiting for a question when it is aborted', async () => {
    const abort = new AbortController();
    const waited = new Lifecycle([]).nextQuestion(abort.signal);
    setTimeout(() => abort.abort(), 10);
    await expect(waited).rejects.toThrow();
  });
});
