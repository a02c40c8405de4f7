import { useState } from 'react';
import { Chart, type Range } from '@/components/ui/chart';
import { Spark } from '@/components/ui/spark';
import { Sample } from './sample.tsx';

const STEP_MS = 15_000;
const END = Date.UTC(2026, 10, 29, 14, 30);
const TIMES = Array.from({ length: 61 }, (_, index) => END - (60 - index) * STEP_MS);
/** A wave with a peak: always the same, so that pictures can be compared. */
const wave = (height: number, shift: number) =>
  TIMES.map(
    (_, index) => height * (1 + Math.sin(index / 7 + shift) * 0.4 + (index > 40 && index < 46 ? 0.9 : 0)),
  );
const P50 = wave(4, 0);
const P95 = wave(11, 1).map((value, index) => (index > 20 && index < 24 ? null : value));
const READS = wave(30, 0);
const WRITES = wave(12, 2);

const ms = (value: number) => `${value.toFixed(1)} ms`;
const rate = (value: number) => `${value.toFixed(0)}/s`;
const time = { times: TIMES, stepMs: STEP_MS, windowMs: 60 * STEP_MS };
const DURATION = [
  { name: 'p50', values: P50, stroke: 'first' as const },
  { name: 'p95', values: P95, stroke: 'second' as const },
];
const TRAFFIC = [
  { name: 'reads', values: READS, stroke: 'first' as const },
  { name: 'writes', values: WRITES, stroke: 'second' as const },
];
const LIMIT = [{ value: 20, label: 'alert at 20 ms' }];
const DEPLOYS = [{ at: END - 30 * STEP_MS, label: 'v1.4.0' }];

export function Charts() {
  const [range, setRange] = useState<Range>();
  return (
    <>
      <Sample name="Line chart" from="chart">
        <Chart
          {...time}
          title="Duration"
          note="of requests; drag to zoom"
          series={DURATION}
          format={ms}
          least={5}
          thresholds={LIMIT}
          marks={DEPLOYS}
          range={range}
          onZoom={setRange}
        />
      </Sample>
      <Sample name="Area chart" from="chart">
        <Chart
          {...time}
          kind="area"
          title="Traffic"
          series={TRAFFIC}
          format={rate}
          least={5}
          range={range}
          onZoom={setRange}
        />
      </Sample>
      <Sample name="Bar chart" from="chart">
        <Chart
          {...time}
          kind="bar"
          title="Writes"
          series={TRAFFIC.slice(1)}
          format={rate}
          least={5}
          range={range}
          onZoom={setRange}
        />
      </Sample>
      <Sample name="Stacked chart" from="chart">
        <Chart
          {...time}
          kind="stacked"
          title="Traffic, stacked"
          series={TRAFFIC}
          format={rate}
          least={5}
          range={range}
          onZoom={setRange}
        />
      </Sample>
      <Sample name="Spark" from="spark">
        <span className="text-lg tabular-nums">42/s</span>
        <Spark label="Requests a second, of the last 15 minutes" values={READS} />
      </Sample>
    </>
  );
}
