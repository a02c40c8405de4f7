import type { Application, Brought, Part } from '../parts.ts';

/**
 * Collects what the parts of an application bring.
 *
 * @throws Error when two parts, two alert rules, two findings, two event topics or two permissions have the same name.
 */
export function collect({ modules, features, checks = [] }: Application) {
  const all: readonly Part[] = distinct('parts', [...modules, ...features]);
  return {
    all,
    checks: [...checks, ...all.flatMap((part) => part.checks ?? [])],
    metrics: all.flatMap((part) => part.metrics ?? []),
    contentSources: all.map((part) => part.contentSources ?? {}),
    alertRules: distinct(
      'alert rules',
      all.flatMap((part) => part.alertRules ?? []),
    ),
    findings: distinct(
      'findings',
      all.flatMap((part) => part.findings ?? []),
    ),
    eventTopics: byName('event topics', all, ({ eventTopics }) => eventTopics),
    permissions: byName('permissions', all, ({ permissions }) => permissions),
    personalData: new Map(
      all.flatMap(({ name, personalData }) => (personalData ? [[name, personalData]] : [])),
    ),
  } satisfies Brought & Record<string, unknown>;
}

function byName<Value>(
  kind: string,
  parts: readonly Part[],
  of: (part: Part) => Readonly<Record<string, Value>> | undefined,
): Map<string, Value> {
  const entries = parts.flatMap((part) => Object.entries(of(part) ?? {}));
  distinct(
    kind,
    entries.map(([name]) => ({ name })),
  );
  return new Map(entries);
}

function distinct<Item extends { readonly name: string }>(kind: string, items: Item[]): Item[] {
  const names = items.map(({ name }) => name);
  const duplicate = names.find((name, index) => names.indexOf(name) !== index);
  if (duplicate !== undefined)
    throw new Error(`Two ${kind} have the name '${duplicate}': rename one of them.`);
  return items;
}
