/** What this suite promises, row by row, as docs/reliability.md shows it. */
export const ROWS = {
  rolling: [
    '20 rolling restarts of two replicas behind a proxy that reads `/ready`, 200 requests/s, reads and writes',
    '0 failed requests',
  ],
  expand: ['Rolling update to a release that adds a column, under the same load', '0 failed requests'],
  slow: [
    'SIGTERM during a request of 10 s (`SHUTDOWN_TIMEOUT_MS=25000`)',
    'it ends 200 with `Connection: close`; exit 1 s after it or less',
  ],
  probes: ['SIGTERM: what `/ready` and `/live` say', '`/ready` 503 within 100 ms, `/live` 200'],
  idle: [
    'SIGTERM with 500 idle keep-alive connections',
    'they stay open for the delay; exit within the delay + 1 s',
  ],
  streams: [
    'SIGTERM with 20 event streams open',
    'each is told to reconnect elsewhere and ended; exit within the delay + 1 s',
  ],
  endless: [
    'A handler that never ends',
    'forced exit within the deadline ± 500 ms; what was open is in the log',
  ],
  second: ['Second SIGTERM', 'exit 1 within 200 ms'],
  crash: ['An uncaught error, with requests in flight', 'they are answered; exit 1 within 1.5 s'],
  stopped: [
    'Database stopped for 60 s under load',
    'no restart, `/live` 100 %, every error a problem document within 2.5 s (connect limit 2 s), recovery within 5 s',
  ],
  swallowing: [
    'Database swallowing packets, 1,000 clients waiting',
    '`/live` and `/ready`: p99 50 ms or less',
  ],
  backends: [
    'Every database backend killed, 20 times, under load',
    'no exit; errors only for requests in flight',
  ],
  frozen: [
    'SIGSTOP for 60 s, database connections closed meanwhile',
    'first request within 2.5 s; nothing shed, no alert',
  ],
  migration: ['`kill -9` of a replica in mid-migration', 'successor ready within 5 s, each migration once'],
  alter: ['An `ALTER` behind a 30 s reader', "others' queries delayed by 1 s at most"],
  pooler: [
    'PgBouncer in transaction mode between',
    'the application works; migrations refuse by name without `DATABASE_DIRECT_URL`',
  ],
  disk: ['Disk full for logs', 'keeps serving, says so'],
  clock: ['Clock stepped by an hour, forwards and back', 'keeps serving'],
  descriptors: ['File descriptors exhausted', 'sheds, recovers, says so'],
  bodies: [
    '300 unfinished bodies of 900 KiB from five addresses',
    'resident memory rises by 64 MiB at most, and is back below that 15 s later',
  ],
  headers: ['8,000 half headers of 15 KiB', 'the same'],
  refused: [
    '40 refused clients that neither read nor close; SIGTERM with one of them there',
    'no descriptor is held after 13 s; exit 0 within 1 s',
  ],
  crowd: ['One address holds every connection', '90 % of other visitors are served within 10 s'],
  soak: ["5 minutes' soak at high load", 'memory slope zero within noise, no growing handles'],
  eventsKilled: ['`kill -9` of a publisher under load, 5 times', 'every committed event is told'],
  eventsAway: ['Database out of reach of a reader of events', 'told of all, in order, within 5 s'],
  eventsFrozen: ['SIGSTOP of the server of a reader of events', 'told of all, in order, within 5 s'],
  eventsPooler: [
    'Events behind PgBouncer, without `DATABASE_DIRECT_URL`',
    'told of all, in order, within 5 s',
  ],
  jobsKilled: [
    '`kill -9` of workers under load, 5 times',
    '0 jobs lost; what was begun begins again within 30 s',
  ],
  jobsEnded: ['SIGTERM to workers under load, 5 times', 'exit 0; 0 jobs lost, no attempt counted'],
  jobsAway: ['Database out of reach of a worker', '0 jobs lost; it goes on within 15 s'],
  jobsFrozen: [
    'SIGSTOP of a worker under load',
    '0 jobs lost; what it had begun begins elsewhere within 30 s',
  ],
  jobsClock: ["A worker's clock stepped by an hour, forwards and back", 'jobs due in 1 s begin within 5 s'],
  jobsPooler: ['Jobs behind PgBouncer, without `DATABASE_DIRECT_URL`', '0 jobs lost; they begin within 5 s'],
  mailFaults: [
    'A mail server that refuses, stalls, drops the connection, or takes a mail and does not answer',
    '0 mails lost; sent twice only where the answer is missing, and counted',
  ],
  mailAway: ['A mail server away for 10 minutes', '0 mails lost, none sent twice; all sent within 5 minutes'],
  mailKilled: [
    '`kill -9` of workers between sending a mail and noting it',
    '0 mails lost; sent twice only in between, and counted',
  ],
  ledger: ['Every committed write acknowledged by the API during all of the above', 'present afterwards'],
} as const satisfies Record<string, readonly [fault: string, mustHold: string]>;

export type Row = keyof typeof ROWS;
