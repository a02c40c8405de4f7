import { axisEnd, HEIGHT, paths, type Values, WIDTH } from '@/kit/lib/chart-geometry.ts';

/** A sparkline, beside its number. @param label What it shows, for screen readers. */
export function Spark({
  label,
  values,
  className = 'h-5 w-20',
}: {
  label: string;
  values: Values;
  className?: string;
}) {
  const times = values.map((_, index) => index);
  const scale = { from: 0, to: Math.max(1, values.length - 1), most: axisEnd([values], 1e-9) };
  const { line, area } = paths(times, values, 1, scale);
  return (
    <svg
      role="img"
      aria-label={label}
      viewBox={`0 ${-HEIGHT / 20} ${WIDTH} ${HEIGHT * 1.1}`}
      preserveAspectRatio="none"
      className={`text-chart-1 ${className}`}
      fill="none"
    >
      <path d={area} fill="currentColor" fillOpacity="0.12" />
      <path d={line} stroke="currentColor" strokeWidth="1.5" vectorEffect="non-scaling-stroke" />
    </svg>
  );
}
