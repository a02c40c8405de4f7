/** A worker of another package, with its defaults and ten jobs at once: `node jobs.ts NAME DATABASE_URL`. Says `ready`. */
const [name, connectionString = ''] = process.argv.slice(2);

if (name === 'pg-boss') {
  const { PgBoss } = await import('pg-boss');
  const boss = new PgBoss(connectionString);
  boss.on('error', console.error);
  await boss.start();
  await boss.createQueue('nothing');
  await boss.work('nothing', { localConcurrency: 10 }, async () => {});
} else {
  const { Logger, run } = await import('graphile-worker');
  await run({
    connectionString,
    concurrency: 10,
    taskList: { nothing: async () => {} },
    logger: new Logger(() => () => {}),
  });
}
console.log('ready');

export {};
