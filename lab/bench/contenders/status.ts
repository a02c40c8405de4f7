/** What every contender answers: the document of `/api/status` of a server that has started. */
const done = (step: string, startedAtMs: number, durationMs: number) => ({
  step,
  status: 'done',
  startedAtMs,
  durationMs,
});
export const STATUS = {
  name: 'flightline',
  version: '0.1.0',
  state: 'ready',
  startup: [
    done('port', 31.975402, 5.020825),
    done('configuration', 37.002216, 2.5708259),
    done('application', 82.882749, 121.2736),
    done('database', 81.937897, 128.48067),
    { ...done('migrations', 210.43182, 12.6596), note: '1 in place' },
  ],
};

const text = { type: 'string' };
const number = { type: 'number' };
const step = {
  type: 'object',
  properties: { step: text, status: text, startedAtMs: number, durationMs: number, note: text },
};

/** The same as a JSON schema, for those that serialise by one. */
export const STATUS_SCHEMA = {
  type: 'object',
  properties: { name: text, version: text, state: text, startup: { type: 'array', items: step } },
};

/** An answer that is worth compressing. */
export const LARGE = { list: Array.from({ length: 200 }, (_, id) => ({ id, title: `note ${id}` })) };
