import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { ROOT } from '../support/server.ts';

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
