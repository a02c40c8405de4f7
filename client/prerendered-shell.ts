import type { Plugin, ResolvedConfig } from 'vite';
import { runnerImport } from 'vite';

/**
 * Writes the shell (navigation and an empty page) into `index.html` at build time, rendered from the same components
 * that take over in the browser. The first paint then needs the style sheet only, and no script: the scripts are asked
 * for at once, but give way to it on a slow network.
 */
export function prerenderedShell(): Plugin[] {
  let config: ResolvedConfig;
  return [
    {
      name: 'prerendered-shell',
      apply: 'build',
      configResolved(resolved) {
        config = resolved;
      },
      transformIndexHtml: {
        order: 'pre',
        async handler(html) {
          const { module } = await runnerImport<{ renderShell: () => string }>('/src/render-shell.tsx', {
            configFile: false,
            root: config.root,
            mode: config.mode,
            resolve: { alias: config.resolve.alias },
            define: config.define ?? {},
          });
          return {
            html: html.replace('<!--shell-->', module.renderShell()),
            // Blocks rendering until the shell is complete, so that nothing shifts. `main` is its last element.
            tags: [
              { tag: 'link', attrs: { rel: 'expect', href: '#main', blocking: 'render' }, injectTo: 'head' },
            ],
          };
        },
      },
    },
    {
      name: 'scripts-after-styles',
      apply: 'build',
      transformIndexHtml: {
        order: 'post',
        handler: (html) =>
          html.replace(/<(script type="module"|link rel="modulepreload")/g, '<$1 fetchpriority="low"'),
      },
    },
  ];
}
