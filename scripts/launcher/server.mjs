/**
 * How the built server is started: by `npm start`, while the image is built, and by what measures it. `Dockerfile` and
 * `.replit` say the same in their own words.
 *
 * V8 gives young objects ever more room while a process is busy, up to three times 64 MiB. Three times 32 cost no throughput that
 * could be measured; three times 16 cost some 5 % (docs/performance.md).
 */
export const SERVER = ['--max-semi-space-size=32', 'dist/server/main.js'];
