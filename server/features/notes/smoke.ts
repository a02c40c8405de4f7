type Ask = (path: string, init?: RequestInit) => Promise<{ status: number; text: string }>;

/** For `npm run test:smoke`: writes one note to a deployment, reads it and deletes it again. */
export const smoke = {
  what: 'a note is written, read and deleted',
  writes: true,
  async run(ask: Ask, skip: (why: string) => never): Promise<string> {
    const created = await ask('/api/notes', {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ title: `Smoke test of ${new Date().toISOString()}` }),
    });
    if ([401, 403].includes(created.status)) {
      skip(`${created.status}: set SMOKE_API_KEY to an API key that may read and write notes`);
    }
    if (created.status !== 201) throw new Error(`${created.status} instead of 201: ${created.text}`);
    const { id, title } = JSON.parse(created.text) as { id: number; title: string };
    const path = `/api/notes/${id}`;
    const read = await ask(path);
    const deleted = await ask(path, { method: 'DELETE' });
    const after = await ask(path);
    const found = [created, read, deleted, after].map(({ status }) => status).join(', ');
    if (found !== '201, 200, 204, 404') throw new Error(`${found} instead of 201, 200, 204, 404`);
    if (JSON.parse(read.text).title !== title) throw new Error('another title was read than written');
    return found;
  },
};
