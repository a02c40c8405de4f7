/**
 * Loaded before the server (`--require`): counts timers that fire, by who set them, and says so on SIGWINCH.
 * Node's own (the sweep of its HTTP server over slow connections) are told apart from ours by their stacks.
 */
const { createHook } = require('node:async_hooks');

const ours = new Map();
const fired = { ours: 0, node: 0 };
createHook({
  init(id, type) {
    if (type !== 'Timeout') return;
    const frames = new Error().stack.split('\n').slice(2);
    const set = frames.find(
      (frame) => !frame.includes('node:internal/timers') && !frame.includes('node:timers'),
    );
    ours.set(id, !set?.includes('node:'));
  },
  before(id) {
    if (ours.has(id)) fired[ours.get(id) ? 'ours' : 'node'] += 1;
  },
}).enable();

process.on('SIGWINCH', () => {
  process.stdout.write(`${JSON.stringify({ timersFired: { ...fired } })}\n`);
  Object.assign(fired, { ours: 0, node: 0 });
});
