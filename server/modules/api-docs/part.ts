import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { getDocs } from '#contracts/api-docs.ts';
import type { OpenApi } from '#contracts/description.ts';
import { madeOnce } from '../../platform/http/files/resource.ts';
import type { Part, Platform } from '../../platform/parts.ts';
import type { Looks } from './page.ts';

/**
 * The description of the API as a page, at `/api/docs`. It stays within the policy of every other page: no inline script or
 * style, nothing from other hosts.
 */
export const apiDocs = ({ clientFolder }: Platform): Part => ({
  name: 'api-docs',
  async routesInEveryState(app) {
    const page = madeOnce('text/html; charset=utf-8', async () => {
      const { renderApiPage } = await import('./page.ts');
      const looks = clientFolder ? await looksOf(clientFolder) : { styles: ['/src/theme.css'], fonts: [] };
      return renderApiPage(app.swagger() as unknown as OpenApi, looks);
    });
    app.route({ ...getDocs, config: { access: 'public' }, ...page });
  },
});

/** What the client's own page links to. */
async function looksOf(clientFolder: string): Promise<Looks> {
  const links = (await readFile(join(clientFolder, 'index.html'), 'utf8')).match(/<link\b[^>]*>/g) ?? [];
  const addresses = (kind: RegExp) =>
    links.filter((link) => kind.test(link)).map((link) => /\bhref="(\/[^"]+)"/.exec(link)?.[1] as string);
  return { styles: addresses(/\brel="stylesheet"/), fonts: addresses(/\bas="font"/) };
}
