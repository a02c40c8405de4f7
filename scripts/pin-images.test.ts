import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { pinImages } from './pin-images.ts';

const text = (file: string) => readFileSync(join(import.meta.dirname, '..', file), 'utf8');
const digest = (letter: string) => `sha256:${letter.repeat(64)}`;

it('finds every image that comes from a registry, and pins it', () => {
  const asked: string[] = [];
  const pin = (file: string) => {
    asked.length = 0;
    const pinned = pinImages(text(file), (image) => {
      asked.push(image);
      return digest('a');
    });
    return { pinned, asked: [...new Set(asked)].map((image) => image.split(':')[0]) };
  };
  expect(pin('Dockerfile').asked).toEqual(['node']);
  const { pinned, asked: services } = pin('compose.yaml');
  expect(services).toEqual(['postgres', 'redis', 'haproxy']);
  for (const [, image] of pinned.matchAll(/^\s*image: (.+)$/gm))
    expect(image).toMatch(/^app-server$|@sha256:a{64}$/);
});

it('renews a digest, keeps the tag, and changes nothing else', () => {
  const before = `ARG NODE_IMAGE=node:24-slim@${digest('a')}\nFROM \${NODE_IMAGE}\n    image: example.com/x/y:1\n`;
  const after = `ARG NODE_IMAGE=node:24-slim@${digest('b')}\nFROM \${NODE_IMAGE}\n    image: example.com/x/y:1@${digest('b')}\n`;
  expect(pinImages(before, () => digest('b'))).toBe(after);
});

it('writes nothing that is no digest', () => {
  expect(() => pinImages('    image: x:1\n', () => 'not found')).toThrow('no digest of x:1, but: not found');
});
