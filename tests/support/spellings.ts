import { join } from 'node:path';

/**
 * Every way to write an address that might lead to a file.
 *
 * @param copy The folder of the clone.
 * @param fromClone The file's path from there.
 * @param file Its absolute path.
 */
export function spellings(copy: string, fromClone: string, file = join(copy, fromClone)): string[] {
  const up = (step: string, slash = '/') => `${step}${slash}${fromClone.replaceAll('/', slash)}`;
  const inClient = fromClone.replace(/^client\/(public\/)?/, '');
  return [
    file,
    `/${file}`,
    `/${inClient}`,
    `/${fromClone}`,
    `//${fromClone}`,
    `/@fs${file}`,
    `/@fs/${file}`,
    `/@FS${file}`,
    `//@fs${file}`,
    `/@fs${file}/`,
    `/@fs${file}.`,
    `/@fs${file}.map`,
    `/@fs${file}::$DATA`,
    `/@fs${file.replaceAll('.', '%2e')}`,
    `/@fs${file.replaceAll('/', '%2f')}`,
    `/@fs${file.replaceAll('/', '\\')}`,
    `/%40fs${file}`,
    `/@fs/proc/self/cwd/${fromClone}`,
    `/@fs${copy}/client/${up('..')}`,
    `/@fs${copy}/client/${up('%2e%2e')}`,
    `/@fs${copy}/client/${up('%252e%252e')}`,
    `/@fs${copy}/client/${up('..', '%2f')}`,
    `/@fs${copy}/client/${up('..', '\\')}`,
    `/@fs${copy}/client/${up('..', '%5c')}`,
    `/@fs${copy}/client?/../${up('..')}`,
    `/@fs${copy}/client/src/main.tsx?/../../../${fromClone}`,
    `/@fs${copy}/node_modules/react/${up('../..')}`,
    `/@fs${copy}/contracts/linked/../${up('..')}`,
    `/${up('..')}`,
    `/${up('%2e%2e')}`,
    `/${up('..', '%2f')}`,
    `/${up('..', '\\')}`,
    `/${up('..', '%5c')}`,
    `/src/${up('../..')}`,
    `/src/main.tsx?/../../../${fromClone}`,
    `/src/main.tsx%3f/../../../${fromClone}`,
    `/src/main.tsx#/../../../${fromClone}`,
    `/@vite/client?/../../${fromClone}`,
    `/@vite/../${up('..')}`,
    `/@id/${file}`,
    `/@id${file}`,
    `/@id/@fs${file}`,
    `/@id/__x00__${file}`,
    `/@id/__x00__/@fs${file}`,
    `/@id/${up('..')}`,
    `/@id/file://${file}`,
    `http://localhost/@fs${file}`,
    `http://localhost${file}`,
  ];
}
/** What Vite is told behind a path. */
export const QUERIES = [
  '',
  '?raw',
  '?url',
  '?import',
  '?inline',
  '?direct',
  '?import&raw',
  '?raw??',
  '?import&raw??',
  '?url&inline',
  '?.svg?.wasm?init',
  '?import&url&.svg',
  '?html-proxy&index=0.js',
  '?worker&inline',
  '?t=1&import',
];
