/** What a part brings, as the platform takes it. Rules and findings are judged by whatever part shows them. */
import { afterAll, afterEach, beforeAll, expect, it, vi } from 'vitest';
import { createTestApp } from '../../tests/support/app.ts';
import { createDatabase, type TestDatabase } from '../../tests/support/postgres.ts';
import { gauge } from './metrics/metrics.ts';
import type { Brought, Part } from './parts.ts';
import { runPartCommand } from './process/part-command.ts';

const KEY = 'Zk3v9QyT0aXw7LrB5nUcM1sHdEfGjPqV2i8oW4tYb6R';

/** Counts on itself: what a part brings is called as a method of it. */
class Shop implements Part {
  readonly name = 'shop';
  ended = 0;
  greeted: string[] = [];
  brought: Brought | undefined;
  readonly checks = [{ name: 'till', required: false, timeoutMs: 1_000, run: async () => undefined }];
  readonly metrics = [gauge('shop_orders', 'Orders.', () => 7)];
  readonly contentSources = {
    'img-src': ['https://pictures.example.com'],
    'frame-src': ['https://pay.example.com'],
  };
  readonly alertRules = [];
  readonly findings = [
    { name: 'shop-key', title: 'Shop', judge: () => ({ status: 'pass', detail: 'Set.' }) as const },
  ];
  readonly commands = {
    greet: {
      help: 'greets',
      run: async (args: readonly string[]) => {
        this.greeted.push(...args);
        return 3;
      },
    },
  };

  async routesInEveryState(_app: unknown, brought: Brought) {
    this.brought = brought;
  }
  async end() {
    this.ended++;
  }
}

let database: TestDatabase;
beforeAll(async () => {
  database = await createDatabase();
});
afterAll(() => database.drop());
afterEach(() => {
  vi.unstubAllEnvs();
});

it('a part brings checks, metrics, content sources, findings, and its end', async () => {
  const shop = new Shop();
  {
    await using server = await createTestApp(
      database.url,
      { INTERNAL_API_KEY: KEY },
      { features: [() => shop] },
    );
    const health = await server.app.inject('/health');
    expect(health.json().checks).toHaveProperty('till');
    const scrape = await server.app.inject({ url: '/metrics', headers: { 'x-api-key': KEY } });
    expect(scrape.body).toContain('\nshop_orders 7\n');
    const policy = String(health.headers['content-security-policy']);
    expect(policy).toContain("img-src 'self' data: https://pictures.example.com;");
    // Nothing is allowed by default, so what is named is all there is.
    expect(policy).toContain('frame-src https://pay.example.com');
    expect(policy).toContain("default-src 'none';");
    expect(shop.brought?.findings.map(({ name }) => name)).toContain('shop-key');
    expect(shop.ended).toBe(0);
  }
  expect(shop.ended).toBe(1);
});

it('two parts, rules or findings of one name are refused at the start', async () => {
  const start = (...parts: Part[]) =>
    createTestApp(database.url, {}, { features: parts.map((part) => () => part) });
  await expect(start({ name: 'twin' }, { name: 'twin' })).rejects.toThrow("Two parts have the name 'twin'");
  const { findings } = new Shop();
  await expect(start({ name: 'one', findings }, { name: 'other', findings })).rejects.toThrow(
    "Two findings have the name 'shop-key'",
  );
});

it('a subcommand of a part runs with its arguments, and its part ends', async () => {
  vi.stubEnv('DATABASE_URL', database.url);
  const shop = new Shop();
  const load = async () => ({ createApp: () => ({ modules: [], features: [shop] }) });
  const { signal } = new AbortController();
  expect(await runPartCommand('greet', ['a', 'b'], {}, load, signal)).toBe(3);
  expect([shop.greeted, shop.ended]).toEqual([['a', 'b'], 1]);

  const said: string[] = [];
  const error = vi.spyOn(console, 'error').mockImplementation((text) => void said.push(text));
  expect(await runPartCommand('leave', [], {}, load, signal)).toBeUndefined();
  error.mockRestore();
  expect(said.join('\n')).toContain("There is no command 'leave'. There are:");
  expect(said.join('\n')).toContain('  greet: greets');
});
