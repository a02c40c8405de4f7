import type { FastifyInstance, FastifyRequest } from 'fastify';
import { TOPICS } from '#contracts/realtime.ts';
import { type AccessLevel, type Answer, writtenLevel } from '../../platform/http/access/access.ts';
import { ProblemError } from '../../platform/lib/problem.ts';
import { within } from '../../platform/lib/within.ts';
import type { EventTopic } from '../../platform/parts.ts';

export type Topics = ReadonlyMap<string, EventTopic>;

/** How long a rule may take, in milliseconds. */
const RULE_TIMEOUT_MS = 10_000;

/** What a rule throws where a client may not read the topic. After too many wrong keys it may still read other topics. */
const REFUSALS = ['unauthorized', 'forbidden', 'reauthenticate', 'too-many-requests'];

export interface Judgement {
  readonly allowed: readonly string[];
  readonly refused: readonly string[];
  /** Why the first of those was refused. */
  readonly reason: ProblemError | undefined;
}

const WRITTEN = new RegExp(TOPICS);

/** Reads `notes,orders:42`. @returns Each once, in one order; undefined for what is no list of topics. */
export function writtenTopics(list: string): string[] | undefined {
  return WRITTEN.test(list) ? [...new Set(list.split(','))].sort() : undefined;
}

/** @throws Error where a topic declares an access level that has no rule: it would let everybody in. */
export function assertRules(app: FastifyInstance, topics: Topics): void {
  for (const [name, { access }] of topics) {
    try {
      app.accessRule(access);
    } catch (error) {
      throw new Error(`The topic '${name}': ${(error as Error).message}`);
    }
  }
}

/** @returns The declaration of a topic, and its key: `orders:42` is the topic `orders` with the key `42`. */
export function topicOf(topics: Topics, written: string) {
  const [name = '', key] = written.split(':', 2);
  return { declared: topics.get(name), key };
}

/**
 * Asks for each topic whether a request may read it: by the rule of its access level, once a level, and by its own.
 *
 * @throws What a rule throws besides refusing, such as DatabaseUnavailableError.
 */
export async function judge(
  app: FastifyInstance,
  topics: Topics,
  request: FastifyRequest,
  reply: Answer,
  wanted: readonly string[],
): Promise<Judgement> {
  const levels = new Map<string, Promise<ProblemError | undefined>>();
  const byLevel = (level: AccessLevel) => {
    const known = levels.get(writtenLevel(level)) ?? askLevel(app, level, request, reply);
    levels.set(writtenLevel(level), known);
    return known;
  };
  const judged = wanted.map(async (topic) => {
    const { declared, key } = topicOf(topics, topic);
    if (!declared) return new ProblemError('not-found', `There is no topic '${topic}'.`);
    const refusal = await byLevel(declared.access);
    if (refusal) return refusal;
    // Whatever its type says, nothing but `true` lets in.
    const may = declared.mayRead ? await declared.mayRead(request, key) : true;
    return may === true ? undefined : new ProblemError('forbidden', `You may not read '${topic}'.`);
  });
  const reasons = await within(
    Promise.all(judged),
    RULE_TIMEOUT_MS,
    () => new ProblemError('unavailable', 'Who may read this could not be found out in time.'),
  );
  return {
    allowed: wanted.filter((_, at) => reasons[at] === undefined),
    refused: wanted.filter((_, at) => reasons[at] !== undefined),
    reason: reasons.find((reason) => reason !== undefined),
  };
}

async function askLevel(
  app: FastifyInstance,
  level: AccessLevel,
  request: FastifyRequest,
  reply: Answer,
): Promise<ProblemError | undefined> {
  try {
    if (level === 'operator') app.limitWrongKeys(request, reply);
    await app.accessRule(level)?.(request, reply);
    return undefined;
  } catch (error) {
    if (error instanceof ProblemError && REFUSALS.includes(error.kind)) return error;
    throw error;
  }
}
