import type { Plugin } from 'vite';

/** The one face that every screen shows; the others wait until a page has text in them. */
const FACE = /geist-latin-wght-normal-[\w-]+\.woff2$/;

/** Names the font in the page, so that it is asked for together with the style sheet instead of after it. */
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
