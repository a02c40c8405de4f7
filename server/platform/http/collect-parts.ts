import type { Application, Brought, Part } from '../parts.ts';

/**
 * Collects what the parts of an application bring.
 *
 * @throws Error when two parts, two alert rules, two findings or two event topics have the same name.
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
    eventTopics: new Map(
      distinct(
        'event topics',
        all.flatMap((part) =>
          Object.entries(part.eventTopics ?? {}).map(([name, topic]) => ({ name, topic })),
        ),
      ).map(({ name, topic }) => [name, topic]),
    ),
  } satisfies Brought & Record<string, unknown>;
}

function distinct<Item extends { readonly name: string }>(kind: string, items: Item[]): Item[] {
  const names = items.map(({ name }) => name);
  const duplicate = names.find((name, index) => names.indexOf(name) !== index);
  if (duplicate !== undefined)
    throw new Error(`Two ${kind} have the name '${duplicate}': rename one of them.`);
  return items;
}
