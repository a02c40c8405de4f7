import type { Plugin } from 'vite';

/** The face that every screen uses. Others load when a page needs them. */
const FACE = /geist-latin-wght-normal-[\w-]+\.woff2$/;

/** Preloads the font, so that it is fetched together with the style sheet and not after it. */
export const preloadFont = (): Plugin => ({
  name: 'preload-font',
  apply: 'build',
  transformIndexHtml: {
    order: 'post',
    handler: (_, { bundle = {} }) =>
      Object.keys(bundle)
        .filter((file) => FACE.test(file))
        .map((file) => ({
          tag: 'link',
          attrs: { rel: 'preload', href: `/${file}`, as: 'font', type: 'font/woff2', crossorigin: true },
          injectTo: 'head',
        })),
  },
});
