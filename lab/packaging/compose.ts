import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../../tests/support/server.ts';
import type { Engine, Outcome } from './engine.ts';
import type { Packaging } from './global-setup.ts';

export interface Service {
  image: string;
  build?: string;
  user?: string;
  read_only?: boolean;
  cap_drop?: string[];
  security_opt?: string[];
  mem_limit?: string;
  cpus?: number;
  stop_grace_period?: string;
  entrypoint?: string[];
  command?: string[];
  environment?: Record<string, string | number>;
  volumes?: string[];
  ports?: string[];
  networks?: Record<string, { aliases?: string[] }>;
  profiles?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
}

/** compose.yaml, merged. */
export const compose = parse(readFileSync(join(ROOT, 'compose.yaml'), 'utf8'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};

export function service(name: string): Service {
  const found = compose.services[name];
  if (!found) throw new Error(`compose.yaml has no service ${name}`);
  return found;
}

/** What a service asks of its container, as flags of `docker run`: the ones that harden it. */
export function hardeningOf({
  read_only,
  cap_drop = [],
  security_opt = [],
  mem_limit,
  cpus,
}: Service): string[] {
  return [
    ...(read_only ? ['--read-only'] : []),
    ...cap_drop.flatMap((name) => ['--cap-drop', name]),
    // Docker knows the word with a colon and without; Podman without.
    ...security_opt.flatMap((option) => ['--security-opt', option.replace(/:true$/, '')]),
    ...(mem_limit ? ['--memory', mem_limit, '--memory-swap', mem_limit] : []),
    ...(cpus ? ['--cpus', String(cpus)] : []),
  ];
}

/** Its volumes, as flags of `docker run`: secrets from a folder, and in place of a volume with a name one without. */
export function volumesOf({ volumes = [] }: Service, secrets: string): string[] {
  return volumes.flatMap((volume) => [
    '--volume',
    volume.replace(/^(\w+)-secrets:/, `${secrets}/$1:`).replace(/^\w+:/, ''),
  ]);
}

/** Runs a service of ours with its own flags, settings and volumes; its database stands on the host's network. */
export function runService(
  engine: Engine,
  { image, databaseUrl, secrets }: Pick<Packaging, 'image' | 'databaseUrl' | 'secrets'>,
  name: string,
  command: string[] = service(name).command ?? [],
): Promise<Outcome> {
  const { environment = {} } = service(name);
  const { host } = new URL(databaseUrl);
  const address = String(environment.DATABASE_URL).replace('database:5432', host);
  const settings = Object.entries({ ...environment, DATABASE_URL: address });
  const flags = [
    ...hardeningOf(service(name)),
    ...settings.flatMap(([variable, value]) => ['--env', `${variable}=${value}`]),
    ...volumesOf(service(name), secrets),
  ];
  return engine.runOnce(image, flags, command);
}
