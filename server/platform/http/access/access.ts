/**
 * Adds `access` to routes: each declares in its `config` who may call it. A route without it fails the start.
 *
 * - `public`: everybody
 * - `user`: users that the application's `Identity` recognises; everybody where there is none
 * - `{ permission: 'notes:write' }`: those of them who have the permission, which a part declares
 * - `operator`: holders of a key of `INTERNAL_API_KEY`, or of a session that was exchanged for one; and users who are operators
 *
 * It stands before every route, because it looks at each as it is registered. A public route pays nothing.
 */
import type { FastifyReply, FastifyRequest, onRequestAsyncHookHandler } from 'fastify';
import fp from 'fastify-plugin';
import { ProblemError } from '../../lib/problem.ts';
import { handlerTimeout } from '../../lib/request-work.ts';
import { within } from '../../lib/within.ts';
import { isWriteMethod } from '../../lib/write-method.ts';
import type { Identity, Scope } from '../../parts.ts';
import { type OperatorOptions, operatorAccess } from './operators.ts';

/** A feature adds a level of its own here, by declaration merging, and its rule to `app.accessRules`. */
export interface AccessLevels {
  public: true;
  user: true;
  operator: true;
}

/** A permission of `Part.permissions`. */
export interface NeedsPermission {
  readonly permission: string;
}

export type AccessLevel = keyof AccessLevels | NeedsPermission;

/** The part of an answer that a rule may change. */
export type Answer = Pick<FastifyReply, 'header' | 'request'>;

/**
 * Admits a request by returning, and refuses it by throwing. It is awaited, for at most `ruleTimeoutMs`. The type allows
 * neither a verdict (`false`) nor an answer of the rule's own.
 *
 * @throws ProblemError `unauthorized` or `forbidden`.
 */
export type AccessRule = (request: FastifyRequest, reply: Answer) => undefined | Promise<undefined>;

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Who may call the route. Every route declares it: without it the server does not start. */
    access?: AccessLevel;
  }
  interface FastifyRequest {
    /** Whose rows this request may see. Undefined on public routes, for keys of operators, and where there is no `Identity`. */
    readonly scope: Scope | undefined;
  }
  interface FastifyInstance {
    accessRules: Map<keyof AccessLevels, AccessRule>;
    /**
     * @returns The rule of a level; undefined where it admits everybody.
     * @throws Error where the level has no rule, or no part declares the permission.
     */
    accessRule(level: AccessLevel): AccessRule | undefined;
    declaredAccess: DeclaredAccess;
  }
}

/** The access that routes declare, for production readiness. A route is written as `POST /api/notes`. */
export interface DeclaredAccess {
  /** Whether there is an `Identity`. Without one `user`, and each permission, admits everybody. */
  readonly hasIdentity: boolean;
  /** Of users, and of users with a permission. */
  readonly userRoutes: readonly string[];
  readonly publicWrites: readonly string[];
  /** Of every route. */
  readonly levels: ReadonlyMap<string, AccessLevel>;
}

export interface AccessOptions extends OperatorOptions {
  /** Those that parts declare, by name. */
  permissions?: Pick<ReadonlyMap<string, string>, 'has'>;
  /** How long a rule, or the identity, may take, in milliseconds. */
  ruleTimeoutMs?: number;
}

/** @returns Whether a route, written as `POST /api/notes`, may change something. */
export const isWrite = (route: string): boolean => isWriteMethod(route.split(' ', 1)[0] as string);

const RULE_TIMEOUT_MS = 30_000;

export const access = fp<AccessOptions>(async (app, options) => {
  const { identity, permissions = new Map(), ruleTimeoutMs = RULE_TIMEOUT_MS } = options;
  const rules = new Map<keyof AccessLevels, AccessRule>();
  rules.set('operator', operatorAccess(app, options));
  if (identity !== undefined) rules.set('user', userRule(identity));
  app.decorate('accessRules', rules);
  app.decorate('accessRule', (level) => {
    if (typeof level === 'object') {
      const { permission } = level;
      if (!permissions.has(permission)) {
        throw new Error(`No part declares the permission '${permission}' in its permissions.`);
      }
      return identity && userRule(identity, permission);
    }
    const rule = rules.get(level);
    if (rule === undefined && level !== 'public' && level !== 'user') {
      throw new Error(
        `Access '${level}' has no rule. Write 'public', 'user', { permission: … } or 'operator', or add the rule of '${level}' ` +
          'to app.accessRules first (server/platform/http/access/access.ts).',
      );
    }
    return rule;
  });
  app.decorateRequest('scope', undefined);

  const userRoutes: string[] = [];
  const publicWrites: string[] = [];
  const levels = new Map<string, AccessLevel>();
  app.decorate('declaredAccess', { hasIdentity: identity !== undefined, userRoutes, publicWrites, levels });

  app.addHook('onRoute', (route) => {
    const level = route.config?.access;
    // Fastify adds a HEAD for every GET.
    const names = [route.method].flat().map((method) => `${method} ${route.url}`);
    if (level === undefined) {
      throw new Error(
        `${names.join(', ')} declares no access: the stack says where. Write config: { access: 'user' } for users, ` +
          `{ permission: … } for some of them, 'operator' for operators, or 'public' for everybody.`,
      );
    }
    for (const name of names) levels.set(name, level);
    if (level === 'user' || typeof level === 'object')
      userRoutes.push(...names.filter((name) => !name.startsWith('HEAD ')));
    if (level === 'public') publicWrites.push(...names.filter(isWrite));

    const rule = ruleOf(level, names);
    if (rule === undefined) return;
    // An async hook: one with a callback takes `throw undefined` for success.
    const check: onRequestAsyncHookHandler = async (request, reply) => {
      const outcome = rule(request, reply);
      if (outcome === undefined) return;
      const verdict = await within(Promise.resolve(outcome), ruleTimeoutMs, handlerTimeout);
      if (verdict !== undefined) {
        throw new TypeError(
          `The access rule '${writtenLevel(level)}' returned ${verdict}: a rule refuses by throwing, and returns nothing.`,
        );
      }
    };
    route.onRequest = [check, ...[route.onRequest ?? []].flat()];
  });

  function ruleOf(level: AccessLevel, names: string[]): AccessRule | undefined {
    try {
      return app.accessRule(level);
    } catch (error) {
      throw new Error(`${names.join(', ')}: ${(error as Error).message}`);
    }
  }

  app.addHook('onReady', async () => {
    if (identity !== undefined || userRoutes.length === 0) return;
    const routes = userRoutes.length === 1 ? '1 route' : `${userRoutes.length} routes`;
    app.log.warn(
      `there is no identity, so access 'user' admits everybody to ${routes}: return an identity in server/app.ts`,
    );
  });

  // From outside, an address that does not exist looks like one that does.
  app.route({
    method: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'],
    url: '/api/monitoring/*',
    config: { access: 'operator' },
    handler: (_request, reply) => reply.callNotFound(),
  });
});

/** A level as one word, such as for a key of a map. */
export const writtenLevel = (level: AccessLevel): string =>
  typeof level === 'object' ? level.permission : level;

function userRule(identity: Identity, permission?: string): AccessRule {
  const admit = (request: FastifyRequest, scope: Scope | undefined): undefined => {
    if (scope === undefined) {
      throw new ProblemError('unauthorized', 'Only users may do this. Sign in first.', {
        headers: { 'www-authenticate': 'Bearer realm="users"' },
      });
    }
    setScope(request, scope);
    if (permission === undefined || scope.permissions === undefined || scope.permissions.has(permission))
      return;
    throw new ProblemError('forbidden', `You need the permission '${permission}' for this.`);
  };
  return (request) => {
    const scope = identity.identify(request, permission);
    // One that is known already needs no time limit.
    return scope instanceof Promise ? scope.then((found) => admit(request, found)) : admit(request, scope);
  };
}

/** @throws TypeError for a value that is no scope: it must not pass for one, whatever its type says. */
export function setScope(request: FastifyRequest, scope: Scope): void {
  if (typeof scope?.userId !== 'string' || scope.userId === '') {
    throw new TypeError('The identity returned neither a scope with a userId nor undefined (server/app.ts).');
  }
  (request as { scope: Scope | undefined }).scope = scope;
}
