import type { RequestListener } from 'node:http';
import type { ProbeSources } from '../health/probe-documents.ts';
import { probeListener } from '../health/probe-listener.ts';
import { pathOf } from '../lib/problem.ts';
import type { Metrics } from './metrics.ts';

/**
 * Answers `/metrics` and the four probes on METRICS_PORT, without a key, and nothing else.
 *
 * @param metrics Undefined where ENABLE_METRICS is false.
 */
export function metricsListener(metrics: Metrics | undefined, sources: ProbeSources): RequestListener {
  const probes = probeListener(sources);
  return (request, response) => {
    if (probes(request, response)) return;
    const wanted = pathOf(request.url ?? '') === '/metrics' && ['GET', 'HEAD'].includes(request.method ?? '');
    if (!wanted || metrics === undefined) {
      response.writeHead(404, { 'content-length': 0 }).end();
      return;
    }
    metrics.scrape().then(
      ({ contentType, text }) => {
        const length = Buffer.byteLength(text);
        response.writeHead(200, { 'content-type': contentType, 'content-length': length });
        response.end(request.method === 'HEAD' ? undefined : text);
      },
      (error: Error) => response.writeHead(500, { 'content-type': 'text/plain' }).end(`${error.message}\n`),
    );
  };
}
