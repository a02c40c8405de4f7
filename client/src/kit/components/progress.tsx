import { Progress as Base } from '@base-ui/react/progress';

/** A progress bar. @param value 0 to 100; null while the progress is unknown. */
export const Progress = ({ label, value }: { label: string; value: number | null }) => (
  <Base.Root value={value} className="w-full text-sm">
    <span className="mb-1 flex justify-between gap-4">
      <Base.Label>{label}</Base.Label>
      <Base.Value className="text-muted tabular-nums" />
    </span>
    <Base.Track className="h-1.5 overflow-hidden rounded-full bg-skeleton">
      <Base.Indicator className="h-full rounded-full bg-accent transition-[width] data-indeterminate:w-1/4 data-indeterminate:slide" />
    </Base.Track>
  </Base.Root>
);
