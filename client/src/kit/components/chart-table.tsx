import { clock } from '@/kit/lib/format.ts';
import { type ChartProps, textOf } from './chart.tsx';
import { Dialog, DialogContent } from './dialog.tsx';
import { Table } from './table.tsx';

/** A chart's values as a table in a dialog. Loaded when it is opened. */
export const ChartTable = ({
  title,
  times,
  series,
  format,
  onClose,
}: ChartProps & { onClose: () => void }) => (
  <Dialog defaultOpen onOpenChangeComplete={(isOpen) => !isOpen && onClose()}>
    <DialogContent title={title}>
      <Table
        caption={`${title}, latest first`}
        maxHeight="60dvh"
        columns={[
          { header: 'Time', cell: (index: number) => clock(times[index] as number) },
          ...series.map(({ name, values }) => ({
            header: name,
            numeric: true,
            cell: (index: number) => textOf(values[index], format, '–'),
          })),
        ]}
        rows={times.map((_, index) => times.length - 1 - index)}
        rowKey={(index) => index}
      />
    </DialogContent>
  </Dialog>
);
