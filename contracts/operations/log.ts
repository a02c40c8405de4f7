import { type Static, Type } from 'typebox';
import { instance, nullable, operators, timestamp } from './common.ts';

/**
 * Errors of one kind: in the log, the same type, message (without its variable parts) and position in the code; among other
 * answers of 500 or more, the same status, type and route.
 */
export const ErrorGroup = Type.Object(
  {
    fingerprint: Type.String(),
    type: Type.String(),
    message: Type.String(),
    count: Type.Integer(),
    firstSeen: timestamp,
    lastSeen: timestamp,
    route: Type.Optional(Type.String()),
    status: Type.Optional(Type.Integer({ description: 'Of an answer that is no error in the log: 503, …' })),
    requestId: Type.Optional(
      Type.String({ description: 'Of the latest error; its log lines have the same id' }),
    ),
    stack: Type.Optional(Type.String()),
  },
  { $id: 'ErrorGroup', title: 'ErrorGroup' },
);
export type ErrorGroup = Static<typeof ErrorGroup>;

export const LogLevel = Type.Union(
  (['trace', 'debug', 'info', 'warn', 'error', 'fatal'] as const).map((level) => Type.Literal(level)),
);
export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** One line of the log. */
export const LogLine = Type.Object(
  {
    seq: Type.Integer({ description: 'Increases by one with each line of this process' }),
    time: timestamp,
    level: Type.Unsafe<LogLevel>(LogLevel),
    message: Type.String(),
    requestId: Type.Optional(Type.String()),
    /** The other fields of the line. */
    fields: Type.Record(Type.String(), Type.Unknown()),
  },
  { $id: 'LogLine', title: 'LogLine' },
);
export type LogLine = Static<typeof LogLine>;

/** `silent` can be configured, but not set at run time. */
const LevelInForce = Type.Unsafe<LogLevel | 'silent'>(
  Type.Union([...LogLevel.anyOf, Type.Literal('silent')]),
);

/** The log level, and when it is reset. */
export const LogLevelNow = Type.Object(
  {
    instance,
    level: LevelInForce,
    configured: LevelInForce,
    until: nullable(timestamp),
    scope: Type.Literal('this replica only'),
  },
  { $id: 'LogLevelNow', title: 'LogLevelNow' },
);
export type LogLevelNow = Static<typeof LogLevelNow>;

export const listErrors = {
  method: 'GET',
  url: '/api/monitoring/errors',
  schema: {
    summary: 'Errors by kind, latest first',
    response: { 200: Type.Object({ instance, errors: Type.Array(ErrorGroup) }), ...operators },
  },
} as const;

export const readLogs = {
  method: 'GET',
  url: '/api/monitoring/logs',
  schema: {
    summary: 'The end of the log',
    querystring: Type.Object(
      {
        level: Type.Optional(Type.Unsafe<LogLevel>(LogLevel)),
        search: Type.Optional(Type.String({ maxLength: 200 })),
        requestId: Type.Optional(Type.String({ maxLength: 128 })),
        limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000 })),
      },
      { additionalProperties: false },
    ),
    response: { 200: Type.Object({ instance, lines: Type.Array(LogLine) }), ...operators },
  },
} as const;

export const readLogLevel = {
  method: 'GET',
  url: '/api/monitoring/log-level',
  schema: { summary: 'The log level', response: { 200: LogLevelNow, ...operators } },
} as const;

export const changeLogLevel = {
  method: 'PUT',
  url: '/api/monitoring/log-level',
  schema: {
    summary: 'Change the log level for some time',
    body: Type.Object(
      {
        level: Type.Unsafe<LogLevel>(LogLevel),
        minutes: Type.Integer({ minimum: 1, maximum: 24 * 60, description: 'Then it is reset' }),
      },
      { additionalProperties: false },
    ),
    response: { 200: LogLevelNow, ...operators },
  },
} as const;
