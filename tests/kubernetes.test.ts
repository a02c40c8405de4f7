/** Holds deploy/kubernetes against Kubernetes' own schemas, and against what the application itself says of its settings. */
import { execFile, execFileSync } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { type Context, settingsOf } from '../server/platform/config/setting.ts';
import { platformSettings } from '../server/platform/config/settings.ts';
import { PROBES } from '../server/platform/health/probe-listener.ts';
import { settings } from '../server/settings.ts';
import { createDatabase } from './support/postgres.ts';
import { freePort, ROOT, startServer } from './support/server.ts';

const FOLDER = join(ROOT, 'deploy/kubernetes');
/** PostgreSQL's own default of `max_connections`, and what it keeps for administrators. */
const CONNECTIONS = 100 - 3;

// biome-ignore lint/suspicious/noExplicitAny: what a file says is what is tested.
type Document = any;
const documents: Record<string, Document> = Object.fromEntries(
  await Promise.all(
    (await readdir(FOLDER)).map(async (name) => [name, parse(await readFile(join(FOLDER, name), 'utf8'))]),
  ),
);
const { 'kustomization.yaml': kustomization, ...objects } = documents;
const deployment = objects['deployment.yaml'];
const pod = deployment.spec.template.spec;
const [server] = pod.containers;
const job = objects['migrate.yaml'];
const [migration] = job.spec.template.spec.containers;

/** The settings that pods get, as a Kubernetes pod reads them. */
const KUBERNETES = {
  environment: 'production' as const,
  platform: { replit: undefined, kubernetes: true, container: true },
  folder: '/app',
  warn: (text: string) => expect.unreachable(text),
} satisfies Context;
const literals: Record<string, string> = Object.fromEntries(
  kustomization.configMapGenerator[0].literals.map((line: string) => line.split('=')),
);
function declared(name: string) {
  const found = settingsOf({ ...platformSettings, ...settings }).find(({ env }) => env === name);
  return found ?? expect.unreachable(`there is no setting ${name}`);
}
// biome-ignore lint/suspicious/noExplicitAny: numbers mostly, as the application itself would have them.
function setting(name: string): any {
  const entry = declared(name);
  if (literals[name] !== undefined) return entry.parse(literals[name], KUBERNETES, name);
  return typeof entry.default === 'function' ? entry.default(KUBERNETES) : entry.default;
}

describe('every object', () => {
  /** The schemas of those kinds, compiled: each is a function that leaves its errors on itself. */
  const SCHEMAS: Record<string, string> = {
    'apps/v1 Deployment': 'IoK8sApiAppsV1Deployment',
    'v1 Service': 'IoK8sApiCoreV1Service',
    'policy/v1 PodDisruptionBudget': 'IoK8sApiPolicyV1PodDisruptionBudget',
    'batch/v1 Job': 'IoK8sApiBatchV1Job',
    'networking.k8s.io/v1 NetworkPolicy': 'IoK8sApiNetworkingV1NetworkPolicy',
  };
  const schemaOf = async ({ apiVersion, kind }: Document) => {
    const name = SCHEMAS[`${apiVersion} ${kind}`] ?? 'none';
    const { validate } = await import(`kubernetes-models/_schemas/${name}`);
    return validate as ((data: unknown) => boolean) & { errors: unknown };
  };

  /**
   * What the schema says against a document, and the fields that it does not know. It lets those pass, but it never
   * looks at them either.
   */
  async function judge(document: Document): Promise<unknown[]> {
    const unseen = new Set<string>();
    const watched = (value: Document, path: string): Document => {
      if (typeof value !== 'object' || value === null) return value;
      const inside: Document = Array.isArray(value) ? [] : {};
      for (const [key, part] of Object.entries(value)) {
        const where = `${path}.${key}`;
        unseen.add(where);
        inside[key] = watched(part, where);
      }
      return new Proxy(inside, {
        get(target, key) {
          unseen.delete(`${path}.${String(key)}`);
          return target[key];
        },
      });
    };
    const validate = await schemaOf(document);
    const errors = validate(watched(document, '')) ? [] : [validate.errors];
    return [...errors, ...unseen];
  }

  it.each(Object.keys(objects))('%s is known to Kubernetes, in every field', async (file) => {
    expect(await judge(objects[file])).toEqual([]);
  });

  it('with a field that does not exist, or a wrong value, is found out', async () => {
    const wrong = structuredClone(deployment);
    wrong.spec.template.spec.containers[0].readinessProb = {};
    wrong.spec.strategy.rollingUpdate.maxUnavailble = 0;
    expect(await judge(wrong)).toEqual([
      '.spec.strategy.rollingUpdate.maxUnavailble',
      '.spec.template.spec.containers.0.readinessProb',
    ]);
    const typo = structuredClone(deployment);
    typo.spec.replicas = 'two';
    expect(await judge(typo)).toHaveLength(1);
  });

  it('is named in the kustomization, which knows no other file', () => {
    expect([...kustomization.resources].sort()).toEqual(Object.keys(objects).sort());
    expect(Object.keys(kustomization).sort()).toEqual(
      ['apiVersion', 'configMapGenerator', 'images', 'kind', 'labels', 'resources'].sort(),
    );
    for (const { image } of [server, migration]) expect(image).toBe(kustomization.images[0].name);
  });

  const kubectl = (() => {
    try {
      return Boolean(execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' }) ?? true);
    } catch {
      return false;
    }
  })();
  it.runIf(kubectl)('is put together by kubectl, which finds every name', async () => {
    const { stdout } = await promisify(execFile)('kubectl', ['kustomize', FOLDER]);
    expect(stdout).toMatch(/configMapRef:\s+name: app-settings-\w+/);
    expect(stdout.split(/^---$/m)).toHaveLength(Object.keys(objects).length + 1);
  });
});

describe('what pods are given', () => {
  it('are settings that there are, with values that are accepted', () => {
    for (const name of Object.keys(literals)) expect(() => setting(name)).not.toThrow();
    const variables = [...server.env, ...migration.env];
    for (const { name, valueFrom } of variables) {
      expect(declared(name).secret).toBeDefined();
      expect(valueFrom.secretKeyRef.key).toBe(name);
    }
    expect(literals.NODE_ENV).toBeUndefined();
  });

  it('comes from secrets that the guide tells how to make', async () => {
    const guide = await readFile(join(ROOT, 'docs/deploying.md'), 'utf8');
    for (const { valueFrom } of [...server.env, ...migration.env]) {
      const { name, key } = valueFrom.secretKeyRef;
      const [made] = new RegExp(`kubectl create secret generic ${name} (.+\\\\\\n)*.+`).exec(guide) ?? [];
      expect(made).toContain(`--from-literal=${key}=`);
    }
  });

  it('leads to the ports that the server listens on', () => {
    const ports = Object.fromEntries(server.ports.map((port: Document) => [port.name, port.containerPort]));
    expect(ports).toEqual({ http: setting('PORT'), metrics: setting('METRICS_PORT') });
    const { annotations } = deployment.spec.template.metadata;
    expect(annotations['prometheus.io/port']).toBe(literals.METRICS_PORT);
    // The Service leads to the application alone: what the other port says is not for visitors.
    expect(objects['service.yaml'].spec.ports.map((port: Document) => port.targetPort)).toEqual(['http']);
  });

  it('are reached by everybody on the one port, and by Prometheus alone on the other', () => {
    const { podSelector, policyTypes, ingress } = objects['network-policy.yaml'].spec;
    expect(podSelector.matchLabels).toEqual(deployment.spec.selector.matchLabels);
    expect(policyTypes).toEqual(['Ingress']);
    const rules = ingress.flatMap(({ ports, from }: Document) =>
      ports.map(({ port }: Document) => [port, from]),
    );
    expect(rules.map(([port]: Document) => port)).toEqual(server.ports.map(({ name }: Document) => name));
    const [[, visitors], [, scrapers]] = rules;
    expect(visitors).toBeUndefined();
    // Both in one entry: two entries would admit each pod of the one, and each namespace of the other.
    expect(scrapers).toEqual([
      {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'monitoring' } },
        podSelector: { matchLabels: { 'app.kubernetes.io/name': 'prometheus' } },
      },
    ]);
    // The kubelet asks from outside of the cluster's network.
    for (const probe of ['startupProbe', 'livenessProbe', 'readinessProbe'])
      expect(server[probe].httpGet.port).toBe('http');
  });

  it('is scraped where Prometheus looks: on every pod, ready or not, and by the name of a Service', async () => {
    const { scrape_configs } = parse(await readFile(join(ROOT, 'deploy/prometheus/prometheus.yml'), 'utf8'));
    const [{ names, port: scraped }] = scrape_configs[0].dns_sd_configs;
    const { metadata, spec } = objects['metrics-service.yaml'];
    expect(names).toEqual([metadata.name]);
    // Headless: its name has the address of each pod. Another would send each scrape to a pod by chance.
    expect(spec).toMatchObject({ clusterIP: 'None', publishNotReadyAddresses: true });
    const [{ port, targetPort }] = spec.ports;
    expect(port).toBe(scraped);
    const container = server.ports.find((one: Document) => one.name === targetPort);
    expect(String(container.containerPort)).toBe(literals.METRICS_PORT);

    // What a pod answers there, without a key: its settings, on a port of this machine that is free.
    const free = await freePort();
    await using pod = await startServer({
      ...literals,
      DATABASE_URL: 'postgres://app:none@127.0.0.1:1/app',
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
      METRICS_PORT: String(free),
    });
    const { annotations } = deployment.spec.template.metadata;
    expect(annotations['prometheus.io/scrape']).toBe('true');
    const path = annotations['prometheus.io/path'];
    await expect
      .poll(() =>
        fetch(`http://127.0.0.1:${free}${path}`).then(
          ({ status }) => status,
          () => 0,
        ),
      )
      .toBe(200);
    expect(pod.child.exitCode).toBeNull();
  });

  it('has one folder that can be written, for reports of the heap, which outlives the container', async () => {
    const image = await readFile(join(ROOT, 'Dockerfile'), 'utf8');
    const [, folder] = /DIAGNOSTICS_DIR=(\S+)/.exec(image) ?? [];
    expect(pod.volumes).toEqual([{ name: 'diagnostics', emptyDir: { sizeLimit: expect.any(String) } }]);
    expect(server.volumeMounts).toEqual([{ name: 'diagnostics', mountPath: folder }]);
  });

  it('leaves enough connections of the database', () => {
    const { replicas, strategy } = deployment.spec;
    const processes = replicas + strategy.rollingUpdate.maxSurge;
    expect(processes * setting('DB_POOL_SIZE')).toBeLessThan(CONNECTIONS);
    expect(setting('MAX_INSTANCES')).toBeGreaterThanOrEqual(processes);
    expect(setting('MAX_INSTANCES') * setting('DB_POOL_SIZE')).toBeLessThan(CONNECTIONS);
  });
});

describe('the life of a pod', () => {
  it('is asked about by probes that there are', () => {
    const { startupProbe, livenessProbe, readinessProbe } = server;
    const paths = [startupProbe, livenessProbe, readinessProbe].map(({ httpGet }) => httpGet.path);
    expect(paths).toEqual(['/startup', '/live', '/ready']);
    for (const path of paths) expect(PROBES).toHaveProperty([path]);
    // Half an hour for a start; a rollout, and the Job that it waits for, have as long.
    const mostOfStart = startupProbe.periodSeconds * startupProbe.failureThreshold;
    expect(mostOfStart).toBe(30 * 60);
    expect(job.spec.activeDeadlineSeconds).toBe(mostOfStart);
    expect(deployment.spec.progressDeadlineSeconds).toBeGreaterThan(mostOfStart);
    // `/ready` may wait a second for a check.
    expect(readinessProbe.timeoutSeconds).toBeGreaterThan(1);
  });

  it('ends by itself, long before it is killed, and not before others have learnt of it', () => {
    const [delay, limit] = [setting('DRAIN_DELAY_MS'), setting('SHUTDOWN_TIMEOUT_MS')];
    expect(pod.terminationGracePeriodSeconds * 1_000).toBeGreaterThan(delay + limit);
    const { periodSeconds, failureThreshold } = server.readinessProbe;
    expect(delay).toBeGreaterThanOrEqual(periodSeconds * failureThreshold * 1_000);
  });

  it('is followed by another before it ends', () => {
    const { strategy, replicas } = deployment.spec;
    expect(strategy).toEqual({ type: 'RollingUpdate', rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } });
    expect(replicas).toBeGreaterThan(objects['disruption-budget.yaml'].spec.maxUnavailable);
    const labels = deployment.spec.template.metadata.labels;
    for (const selector of [
      deployment.spec.selector.matchLabels,
      objects['service.yaml'].spec.selector,
      objects['disruption-budget.yaml'].spec.selector.matchLabels,
      ...pod.topologySpreadConstraints.map((one: Document) => one.labelSelector.matchLabels),
    ])
      expect(labels).toMatchObject({ 'app.kubernetes.io/component': 'server', ...selector });
    // Each pod that has a port for metrics, and no other.
    const scraped = objects['metrics-service.yaml'].spec.selector;
    for (const { kind, spec } of Object.values(objects)) {
      if (kind !== 'Deployment' && kind !== 'Job') continue;
      const { metadata, spec: podSpec } = spec.template;
      const serves = podSpec.containers[0].ports?.some((one: Document) => one.name === 'metrics') ?? false;
      expect(Object.entries(scraped).every(([name, value]) => metadata.labels[name] === value)).toBe(serves);
    }
    // Else the Service would send visitors to it.
    expect(job.spec.template.metadata.labels).not.toMatchObject(objects['service.yaml'].spec.selector);
  });

  it('is restricted as the Pod Security Standards would have it, and fits into 256 MiB', () => {
    for (const spec of [pod, job.spec.template.spec]) {
      expect(spec.securityContext).toMatchObject({
        runAsNonRoot: true,
        runAsUser: 1000,
        seccompProfile: { type: 'RuntimeDefault' },
      });
      expect(spec.automountServiceAccountToken).toBe(false);
      for (const { securityContext, resources } of spec.containers) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(resources.limits).toEqual({ memory: '256Mi' });
      }
    }
  });
});

describe('a migration by the Job', () => {
  beforeAll(() => expect(migration.args).toEqual(['migrate']));

  it('is tried again unless it is wrong', async () => {
    const [{ action, onExitCodes }] = job.spec.podFailurePolicy.rules;
    expect([action, onExitCodes.containerName, onExitCodes.operator]).toEqual(['FailJob', 'migrate', 'In']);
    expect(job.spec.template.spec.restartPolicy).toBe('Never');
    await using wrong = await startServer({ DATABASE_URL: 'nonsense' }, { args: migration.args });
    expect(onExitCodes.values).toContain(await wrong.ended());
  });

  it('is waited for by a pod that is asked for its start alone', async ({ onTestFinished }) => {
    const database = await createDatabase('empty');
    onTestFinished(() => database.drop());
    const env = {
      DATABASE_URL: database.url,
      ...literals,
      METRICS_PORT: '',
      KUBERNETES_SERVICE_HOST: '10.0.0.1',
    };
    await using waiting = await startServer(env);
    await waiting.open();
    const ask = async (path: string) => (await fetch(waiting.url + path)).status;
    // A project without tables has nothing to wait for.
    const pending = (await readdir(join(ROOT, 'drizzle'))).some((file) => file.endsWith('.sql'));
    if (pending) {
      for (let second = 0; second < 3; second++) {
        expect(await ask('/startup')).toBe(503);
        await new Promise((done) => setTimeout(done, 1_000));
      }
    }
    await using migrating = await startServer({ DATABASE_URL: database.url }, { args: migration.args });
    expect(await migrating.ended()).toBe(0);
    // As the kubelet asks: for nothing else before this is true.
    await expect.poll(() => ask('/startup')).toBe(200);
    expect(await ask('/ready')).toBe(200);
  });
});
