/** The site's own role: all permissions, operators' screens and routes. Only operators grant it. */
export const OPERATOR = 'operator';
/** Of everybody who is signed in, so it is never granted. */
export const EVERYBODY = 'user';

/** Permissions by role: the adopter's `server/features/people/roles.ts`. */
export type RoleMap = Readonly<Record<string, readonly string[]>>;

/** What roles allow. */
export class Roles {
  readonly #map: RoleMap;
  #declared: ReadonlySet<string> = new Set();
  /** By the roles together: sessions of the same roles share one set. */
  readonly #known = new Map<string, ReadonlySet<string>>();

  /** @throws Error where the built-in role is given permissions of its own. */
  constructor(map: RoleMap) {
    if (map[OPERATOR]) throw new Error(`The role '${OPERATOR}' is built in: it allows everything.`);
    this.#map = map;
  }

  /**
   * Tells which permissions exist, once all parts are known.
   *
   * @throws Error where a role allows one that no part declares: it would be misspelled.
   */
  declare(permissions: ReadonlyMap<string, string>): void {
    this.#declared = new Set(permissions.keys());
    this.#known.clear();
    for (const [role, allowed] of Object.entries(this.#map)) {
      const unknown = allowed.find((name) => !permissions.has(name));
      if (unknown === undefined) continue;
      throw new Error(`The role '${role}' allows '${unknown}', which no part declares in its permissions.`);
    }
  }

  /** Those that may be granted. */
  get names(): string[] {
    return [...Object.keys(this.#map).filter((name) => name !== EVERYBODY), OPERATOR];
  }

  /** @param roles Of a user. Those that no longer exist allow nothing. */
  permissionsOf(roles: readonly string[]): ReadonlySet<string> {
    if (roles.includes(OPERATOR)) return this.#declared;
    const key = roles.join();
    let permissions = this.#known.get(key);
    if (permissions === undefined) {
      permissions = new Set([EVERYBODY, ...roles].flatMap((role) => this.#of(role)));
      // Roles of rows are of the names here, so there are few combinations; whatever a table holds, the memory is bounded.
      if (this.#known.size < 1_000) this.#known.set(key, permissions);
    }
    return permissions;
  }

  #of(role: string): readonly string[] {
    return Object.hasOwn(this.#map, role) ? (this.#map[role] as readonly string[]) : [];
  }
}
