import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { ROOT } from '../../tests/support/server.ts';

export interface Outcome {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs a program to its end, for at most so long. */
export async function run(
  [program = '', ...args]: string[],
  options: { limitMs?: number; env?: NodeJS.ProcessEnv } = {},
): Promise<Outcome> {
  const child = spawn(program, args, {
    cwd: ROOT,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: options.limitMs ?? 120_000,
    killSignal: 'SIGKILL',
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk) => (stdout += chunk));
  child.stderr.on('data', (chunk) => (stderr += chunk));
  const ended = once(child, 'close').then(
    ([code]) => ({ code, stdout, stderr }),
    (error) => ({ code: null, stdout, stderr: String(error) }),
  );
  return ended;
}

/** @throws Error with all that it wrote, when it fails. */
export async function must(command: string[], options: Parameters<typeof run>[1] = {}): Promise<string> {
  const { code, stdout, stderr } = await run(command, options);
  if (code === 0) return stdout.trim();
  throw new Error(`\`${command.join(' ').slice(0, 300)}\` ended with ${code}:\n${stdout}${stderr}`);
}

export const isInstalled = async (program: string) => (await run(['which', program])).code === 0;

/** Docker or Podman behind what both understand. */
export class Engine {
  readonly name: 'docker' | 'podman';
  readonly #command: string[];
  #runFlags: string[] = [];

  private constructor(name: 'docker' | 'podman', flags: string[] = []) {
    this.name = name;
    this.#command = [name, ...flags];
  }

  /** The one that runs here. @throws Error that says what to install. */
  static async find(): Promise<Engine> {
    // Its client may be installed where no engine runs.
    const docker = await run(['docker', 'info', '--format', '{{.ServerVersion}}'], { limitMs: 60_000 });
    if (docker.code === 0 && docker.stdout.trim()) return new Engine('docker');
    if ((await run(['podman', '--version'])).code === 0) {
      const systemd = existsSync('/run/systemd/system');
      const flags = systemd ? [] : ['--cgroup-manager', 'cgroupfs'];
      return new Engine('podman', (await isInstalled('runc')) ? ['--runtime', 'runc', ...flags] : flags);
    }
    throw new Error('Neither Docker nor Podman runs here. Install one of them: apt-get install podman runc');
  }

  call(args: string[], limitMs?: number): Promise<string> {
    return must([...this.#command, ...args], limitMs === undefined ? {} : { limitMs });
  }

  /** The same, for what may fail. */
  try(args: string[], limitMs?: number): Promise<Outcome> {
    return run([...this.#command, ...args], limitMs === undefined ? {} : { limitMs });
  }

  async build(tag: string, args: string[]): Promise<void> {
    // Podman's own form of images knows no HEALTHCHECK; chroot needs nothing that a container in a container has not.
    const podman = ['--isolation', 'chroot', '--format', 'docker', '--pull=never'];
    const flags = ['--network', 'host', ...(this.name === 'podman' ? podman : [])];
    await this.call(['build', ...flags, ...args, '--tag', tag, ROOT], 240_000);
  }

  /** Finds out what this machine allows a container, with an image that has `true`. */
  async prepareToRun(image: string): Promise<void> {
    const probe = (flags: string[]) =>
      this.try(['run', '--rm', '--network', 'host', ...flags, '--entrypoint', 'true', image]);
    // Podman asks for limits that a container may not give away.
    const withinLimits = ['--ulimit', 'nofile=1024:1024', '--ulimit', 'nproc=4096:4096'];
    const said: string[] = [];
    for (const flags of [[], withinLimits]) {
      this.#runFlags = flags;
      const { code, stderr } = await probe(flags);
      if (code === 0) return;
      said.push(stderr);
    }
    throw new Error(`${this.name} runs no container here:\n${said.join('\n')}`);
  }

  /**
   * A container on the host's network, so that it reaches the database of the test. Ends with the scope that has it.
   *
   * @param network `bridge`: with an address of its own, where what it does not listen on cannot be reached.
   */
  async start(image: string, flags: string[], network: 'host' | 'bridge' = 'host'): Promise<Container> {
    const id = await this.call(['run', '--detach', ...this.#networkAnd(flags, network), image]);
    return new Container(this, id.split('\n').at(-1) ?? id);
  }

  /** Runs a command in a container of its own. */
  runOnce(image: string, flags: string[], command: string[] = []): Promise<Outcome> {
    return this.try(['run', '--rm', ...this.#networkAnd(flags), image, ...command]);
  }

  async inspect(image: string): Promise<ImageFacts> {
    const [facts] = JSON.parse(await this.call(['image', 'inspect', image]));
    // Podman tells the health check beside the configuration, Docker in it.
    return { Healthcheck: facts.Config.Healthcheck, ...facts };
  }

  #networkAnd(flags: string[], network = 'host'): string[] {
    return ['--network', network, ...this.#runFlags, ...flags];
  }
}

export interface ImageFacts {
  Size: number;
  Config: {
    User: string;
    Env: string[];
    Entrypoint: string[];
    Cmd: string[] | null;
    StopSignal: string;
    WorkingDir: string;
    Labels: Record<string, string>;
    ExposedPorts: Record<string, object>;
  };
  Healthcheck?: { Test: string[] };
}

export class Container implements AsyncDisposable {
  readonly id: string;
  readonly #engine: Engine;

  constructor(engine: Engine, id: string) {
    this.#engine = engine;
    this.id = id;
  }

  exec(command: string[], env: Record<string, string> = {}): Promise<Outcome> {
    const given = Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
    return this.#engine.try(['exec', ...given, this.id, ...command]);
  }

  /** The image's own HEALTHCHECK: Podman runs it by a timer of systemd, which not every machine has. */
  async isHealthy(env: Record<string, string> = {}): Promise<boolean> {
    const [how, ...command] = JSON.parse(await this.state('json .Config.Healthcheck.Test'));
    if (how !== 'CMD') throw new Error(`The HEALTHCHECK is of the kind ${how}`);
    return (await this.exec(command, env)).code === 0;
  }

  /** @param path What a template of the engine says of the container, such as `.State.Pid`. */
  state(path: string): Promise<string> {
    return this.#engine.call(['container', 'inspect', '--format', `{{${path}}}`, this.id]);
  }

  async output(): Promise<string> {
    const { stdout, stderr } = await this.#engine.try(['logs', this.id]);
    return stdout + stderr;
  }

  signal(name: string): Promise<string> {
    return this.#engine.call(['kill', '--signal', name, this.id]);
  }

  async exitCode(limitMs = 60_000): Promise<number> {
    for (const limit = Date.now() + limitMs; Date.now() < limit; await sleep(50)) {
      if ((await this.state('.State.Running')) === 'false')
        return Number(await this.state('.State.ExitCode'));
    }
    throw new Error(`the container still ran after ${limitMs} ms. It said:\n${await this.output()}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#engine.try(['rm', '--force', '--volumes', this.id]);
  }
}
