import { inGroup, setting } from '../setting.ts';
import { milliseconds } from '../values.ts';

export const lifecycle = inGroup('Start-up and shutdown', {
  startupHoldMs: setting('STARTUP_HOLD_MS', milliseconds(0, 120_000), {
    default: 10_000,
    doc: 'How long an API request is held during start-up before it is answered 503. 0 holds none.',
  }),
  shutdown: {
    drainDelayMs: setting('DRAIN_DELAY_MS', milliseconds(0), {
      default: ({ platform }) => (platform.kubernetes ? 5000 : 0),
      defaultText: '`5000` under Kubernetes, else `0`',
      doc: 'After a stop signal, keep serving for this time, until load balancers notice.',
    }),
    timeoutMs: setting('SHUTDOWN_TIMEOUT_MS', milliseconds(), {
      default: ({ platform }) => (platform.kubernetes ? 25_000 : 8000),
      defaultText: '`25000` (25 s) under Kubernetes, else `8000` (8 s)',
      doc: 'From the stop signal to a forced exit. Keep it below the time after which the platform kills.',
    }),
  },
});
