/**
 * Pins each image that the Dockerfile and compose.yaml take from a registry to the digest that its tag has today, and
 * renews those that are pinned: `npm run pin:images`. It needs Docker with buildx, and a registry within reach.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const FILES = ['Dockerfile', 'compose.yaml'];
/** An image with a tag; those that are built here have none. */
const IMAGE = /^((?:ARG \w+_IMAGE=|\s*image: ))([\w./-]+:[\w.-]+)(@\S+)?$/gm;
const DIGEST = /^sha256:[0-9a-f]{64}$/;

/**
 * @param text A Dockerfile, or one of compose.
 * @param digestOf Answers the digest of an image with a tag.
 * @returns The same text with every image pinned.
 * @throws Error when something that is no digest was answered.
 */
export function pinImages(text: string, digestOf: (image: string) => string): string {
  return text.replace(IMAGE, (_whole, before, image) => {
    const digest = digestOf(image);
    if (!DIGEST.test(digest)) throw new Error(`The registry names no digest of ${image}, but: ${digest}`);
    return `${before}${image}@${digest}`;
  });
}

function digestFromRegistry(image: string): string {
  const args = ['buildx', 'imagetools', 'inspect', image, '--format', '{{.Manifest.Digest}}'];
  return execFileSync('docker', args, { encoding: 'utf8' }).trim();
}

if (import.meta.main) {
  const paths = FILES.map((file) => join(resolve(import.meta.dirname, '..'), file));
  // All of them are known before the first file is written.
  const pinned = paths.map((path) => pinImages(readFileSync(path, 'utf8'), digestFromRegistry));
  for (const [index, path] of paths.entries()) writeFileSync(path, pinned[index] as string);
}
