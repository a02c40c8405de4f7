/**
 * Many clients in a process of their own, so that they do not delay what is measured beside them:
 * `node clients.ts <url> <how many>`. Each asks, waits for its answer, and asks again after a second, as `Retry-After`
 * has it. Ends with the channel to its parent, and prints how many answers there were by status.
 */
import { Agent, get } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { user } from '../../../tests/support/user.ts';

const [url = '', count = '0'] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const statuses: Record<string, number> = {};

function ask(): Promise<void> {
  return new Promise((resolve) => {
    const done = (status: number | string) => {
      statuses[status] = (statuses[status] ?? 0) + 1;
      resolve();
    };
    get(url, { agent, headers: user.headers }, (response) => {
      response.resume().on('end', () => done(response.statusCode ?? 0));
    }).on('error', (error: NodeJS.ErrnoException) => done(error.code ?? 'error'));
  });
}

let going = true;
for (let n = 0; n < Number(count); n++) {
  void (async () => {
    while (going) {
      await ask();
      await sleep(1_000);
    }
  })();
}
process.on('disconnect', () => {
  going = false;
  process.stdout.write(JSON.stringify(statuses), () => process.exit());
});
