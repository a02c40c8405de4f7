import { type DragEvent, type ReactNode, useId, useState } from 'react';
import { cn } from '@/kit/lib/styles.ts';
import { IconButton } from './button.tsx';
import { Icon } from './icon.tsx';
import { Progress } from './progress.tsx';

export type FileUpload = {
  id: string;
  name: string;
  /** 0 to 100; undefined when the upload is complete. */
  progress?: number;
  error?: string;
};

type Props = {
  label: string;
  /** The accepted files: "PNG or JPEG, up to 5 MB". */
  hint?: ReactNode;
  /** Like `<input accept>`; also applied to dropped files. */
  accept?: string;
  multiple?: boolean;
  /** In bytes. */
  maxBytes?: number;
  uploads?: FileUpload[];
  onFiles: (files: File[]) => void;
  /** Cancels the upload or removes the file. */
  onRemove?: (id: string) => void;
};

/** Whether a file matches `accept`: by extension, by type, or by wildcard. */
const isAccepted = ({ name, type }: File, accept: string) =>
  accept === '' ||
  accept.split(',').some((one) => {
    const wanted = one.trim().toLowerCase();
    if (wanted.startsWith('.')) return name.toLowerCase().endsWith(wanted);
    return wanted.endsWith('/*') ? type.startsWith(wanted.slice(0, -1)) : type === wanted;
  });

/** Accepts files by drop, click and keyboard, and shows the progress of uploads. The server must check them again. */
export function FileDrop({
  label,
  hint,
  accept = '',
  multiple = false,
  maxBytes,
  uploads = [],
  onFiles,
  onRemove,
}: Props) {
  const id = useId();
  const [isOver, setOver] = useState(false);
  const [refused, setRefused] = useState<string>();

  const take = (list: FileList | null) => {
    const files = [...(list ?? [])].slice(0, multiple ? undefined : 1);
    const good = files.filter(
      (file) => isAccepted(file, accept) && file.size <= (maxBytes ?? Number.POSITIVE_INFINITY),
    );
    const bad = files.filter((file) => !good.includes(file));
    setRefused(bad.length > 0 ? `Not accepted: ${bad.map(({ name }) => name).join(', ')}.` : undefined);
    if (good.length > 0) onFiles(good);
  };
  const onDrag = (event: DragEvent) => {
    event.preventDefault();
    setOver(event.type === 'dragover');
  };

  return (
    <div className="w-full">
      <label
        htmlFor={id}
        onDragOver={onDrag}
        onDragLeave={onDrag}
        onDrop={(event) => {
          onDrag(event);
          take(event.dataTransfer.files);
        }}
        className={cn(
          'flex cursor-pointer flex-col items-center gap-1 rounded-lg border border-dashed border-field px-4 py-6 text-center text-sm has-focus-visible:outline-2 has-focus-visible:outline-accent',
          isOver ? 'bg-selected' : 'bg-surface hover:bg-hover',
        )}
      >
        <Icon name="upload" className="size-5 text-muted" />
        <span className="font-medium">{label}</span>
        {hint && <span className="text-muted">{hint}</span>}
        <input
          id={id}
          type="file"
          accept={accept}
          multiple={multiple}
          className="sr-only"
          onChange={({ target }) => {
            take(target.files);
            // Allows choosing the same file again.
            target.value = '';
          }}
        />
      </label>
      <p role="alert" className={refused ? 'mt-1.5 text-sm text-failing' : 'sr-only'}>
        {refused}
      </p>
      <ul className="mt-2 space-y-1">
        {uploads.map(({ id, name, progress, error }) => (
          <li
            key={id}
            className="flex items-center gap-3 rounded-md border bg-surface py-2 pr-1 pl-3 text-sm"
          >
            <Icon
              name={error ? 'alert' : progress === undefined ? 'check' : 'file'}
              className={cn('size-4', error ? 'text-failing' : 'text-muted')}
            />
            <div className="min-w-0 grow">
              {progress === undefined || error ? (
                <p className="truncate">{name}</p>
              ) : (
                <Progress label={name} value={progress} />
              )}
              {error && <p className="text-failing">{error}</p>}
            </div>
            {onRemove && <IconButton icon="close" label={`Remove ${name}`} onClick={() => onRemove(id)} />}
          </li>
        ))}
      </ul>
    </div>
  );
}
