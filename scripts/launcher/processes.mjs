/** Child processes. They end with this process: at a signal, or when the npm that started it has ended. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { constants } from 'node:os';

const windows = process.platform === 'win32';

/** A signal that repeats this soon is npm's copy of the signal from the terminal. */
const ECHO_MS = 1_000;
/** The server ends by itself within SHUTDOWN_TIMEOUT_MS (8 s); past this it is stuck. */
export const STOP_LIMIT_MS = 12_000;
const PARENT_POLL_MS = 250;

/** A child failed, or this process is stopping. `output` is what the child wrote, if it was not shown already. */
export class Ended extends Error {
  constructor(message, code, output = '') {
    super(message);
    this.name = 'Ended';
    this.code = code;
    this.output = output;
  }
}

const children = new Set();
const stopping = new AbortController();
/** Aborted when this process received a signal, or its parent is gone. */
export const stopSignal = stopping.signal;
let signalledAt = 0;

/**
 * Starts a program.
 *
 * @param {string} command
 * @param {string[]} args
 * @param {{ env?: Record<string, string | undefined>, quiet?: boolean, server?: boolean }} [options]
 *   `quiet` shows its output only if it fails. `server` gives it its own process group, so that Ctrl-C reaches it only through this
 *   process, and a channel that closes when this process ends.
 * @returns {{ child: import('node:child_process').ChildProcess, ended: Promise<{ code: number, output: string }> }}
 */
export function start(command, args, { env, quiet = false, server = false } = {}) {
  stopSignal.throwIfAborted();
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: quiet ? ['ignore', 'pipe', 'pipe'] : server ? ['inherit', 'inherit', 'inherit', 'ipc'] : 'inherit',
    detached: server && !windows,
    windowsHide: true,
  });
  const entry = { child, server };
  children.add(entry);
  const said = [];
  child.stdout?.on('data', (chunk) => said.push(chunk));
  child.stderr?.on('data', (chunk) => said.push(chunk));
  const ended = new Promise((resolve, reject) => {
    child.once('error', (error) => {
      children.delete(entry);
      reject(new Ended(`${command} could not be started: ${error.message}`, 1));
    });
    child.once('close', (code, signal) => {
      children.delete(entry);
      resolve({
        code: code ?? 128 + (constants.signals[signal] ?? 0),
        output: Buffer.concat(said).toString(),
      });
    });
  });
  return { child, ended };
}

/**
 * Runs a program to its end.
 *
 * @returns {Promise<string>} its output, when `quiet`
 * @throws {Ended} when it fails
 */
export async function run(command, args, options) {
  const { code, output } = await start(command, args, options).ended;
  stopSignal.throwIfAborted();
  if (code !== 0) throw new Ended(`${[command, ...args].join(' ')} ended with code ${code}`, code, output);
  return output;
}

/** Ends a child. Windows has no such signal; there the server notices that its channel was closed. */
export function end({ child, server }, signal) {
  if (windows && server) {
    // Ctrl-C reaches every process of a console.
    if (signal !== 'SIGINT' && child.connected) child.disconnect();
  } else {
    child.kill(signal);
  }
}

/** Passes signals to the children from now on, and ends them if the parent npm ends. */
export function endTogether() {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.on(signal, () => {
      const now = Date.now();
      if (stopSignal.aborted && now - signalledAt < ECHO_MS) return;
      signalledAt = now;
      passOn(signal);
    });
  }
  watchParents(() => {
    if (stopSignal.aborted) return;
    const stuck = [...children];
    passOn('SIGTERM');
    setTimeout(() => {
      for (const { child } of stuck) child.kill('SIGKILL');
    }, STOP_LIMIT_MS).unref();
  });
}

/** Ends every child, as SIGTERM would. */
export function stop() {
  passOn('SIGTERM');
}

function passOn(signal) {
  if (!stopSignal.aborted) stopping.abort(new Ended(`Stopped by ${signal}`, 128 + constants.signals[signal]));
  for (const entry of children) {
    // The terminal has sent Ctrl-C to the whole process group.
    if (signal === 'SIGINT' && !entry.server && process.stdin.isTTY) continue;
    end(entry, signal);
  }
}

/**
 * npm does not pass SIGTERM to its child, and cannot pass SIGKILL. This process only sees that its parent has changed. If npm's shell
 * stays between the two, the parent of the shell counts as well.
 */
function watchParents(onGone) {
  // Without npm, the process may outlive its terminal.
  if (!process.env.npm_lifecycle_event) return;
  const parent = process.ppid;
  const shell = parentOf(parent);
  const grandparent = shell?.isShell ? shell.parent : undefined;
  const timer = setInterval(() => {
    const gone = windows
      ? !alive(parent)
      : process.ppid !== parent || (grandparent !== undefined && parentOf(parent)?.parent !== grandparent);
    if (!gone) return;
    clearInterval(timer);
    onGone();
  }, PARENT_POLL_MS);
  timer.unref();
}

/** From /proc on Linux: `pid (name) state parent …`. The name may contain spaces and parentheses. */
function parentOf(pid) {
  try {
    const [, name, parent] = /\((.*)\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'));
    return { parent: Number(parent), isShell: /^(sh|dash|bash|ash|zsh|busybox)$/.test(name) };
  } catch {
    return undefined;
  }
}

function alive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}
