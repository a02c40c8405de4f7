/** Finds out whether PostgreSQL runs, without asking it. Like `keep.mjs` this file parses under old versions of Node. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Where the data is that PostgreSQL's account could not reach in `folder` (cluster.ts). */
export function homeElsewhere({ folder, id }) {
  const parent = fs.existsSync('/var/tmp') ? '/var/tmp' : tmpdir();
  const digest = createHash('sha256').update(`${folder}\0${id}`).digest('hex');
  return join(parent, `embedded-postgres-${digest.slice(0, 16)}`);
}

/**
 * Whether the port is our server's. Another account may listen there and ask for the password, so nothing is sent before this
 * is known: from the lock file in our data folder, and from the process that it names.
 */
export function hasOurPort(settings) {
  return [settings.folder, homeElsewhere(settings)].some((home) => {
    const running = runningIn(join(home, 'cluster'));
    return running !== undefined && running.port === settings.port;
  });
}

export function runningIn(data) {
  const file = join(data, 'postmaster.pid');
  let text;
  try {
    text = fs.readFileSync(file, 'utf8');
  } catch {
    return undefined;
  }
  const [pid = 0, , , port = 0] = text.split('\n').map(Number);
  return pid > 0 && isServerOf(data, pid) ? { pid, port } : undefined;
}

/** Whether a process is the server of a data folder, and not another program that has its process id by now. */
export function isServerOf(data, pid) {
  try {
    if (process.platform === 'win32') return process.kill(pid, 0);
    const { uid, command } = look(pid);
    return uid === fs.statSync(data).uid && command.includes(data);
  } catch {
    return false;
  }
}

function look(pid) {
  if (process.platform === 'linux') {
    const folder = `/proc/${pid}`;
    const command = fs.readFileSync(join(folder, 'cmdline'), 'utf8').replace(/\0/g, ' ');
    return { uid: fs.statSync(folder).uid, command };
  }
  const said = execFileSync('ps', ['-o', 'uid=,command=', '-p', `${pid}`], { encoding: 'utf8' });
  return { uid: Number.parseInt(said, 10), command: said };
}
