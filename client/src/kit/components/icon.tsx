/** Outlines on a 16 px grid with 1.5 px strokes in the text's colour. */
const PATHS = {
  alert: 'M8 5v3.5M8 11h.01M8 1.8 1.4 13.6h13.2z',
  arrowLeft: 'M13 8H3m4-4L3 8l4 4',
  arrowRight: 'M3 8h10m-4 4 4-4-4-4',
  bell: 'M4 11.5V7a4 4 0 0 1 8 0v4.5zM2.5 11.5h11M7 14h2',
  check: 'm3 8.5 3.2 3.2L13 4.8',
  chevronDown: 'm4 6 4 4 4-4',
  chevronRight: 'm6 4 4 4-4 4',
  chevrons: 'm5 6 3-3 3 3M5 10l3 3 3-3',
  chevronUp: 'm4 10 4-4 4 4',
  close: 'm4 4 8 8m0-8-8 8',
  columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
  copy: 'M5.5 5.5h8v8h-8zM10.5 5.5v-3h-8v8h3',
  dots: 'M3.5 8h.01M8 8h.01M12.5 8h.01',
  external: 'M9 2.5h4.5V7M13.5 2.5 7.5 8.5M6.5 3.5h-4v10h10v-4',
  eye: 'M1.5 8S4 3.5 8 3.5 14.5 8 14.5 8 12 12.5 8 12.5 1.5 8 1.5 8zM8 9.8a1.8 1.8 0 1 0 0-3.6 1.8 1.8 0 0 0 0 3.6z',
  eyeOff:
    'M2 2l12 12M6.2 3.8A6.6 6.6 0 0 1 8 3.5C12 3.5 14.5 8 14.5 8a12 12 0 0 1-1.9 2.4M4 5.1A12 12 0 0 0 1.5 8S4 12.5 8 12.5a6.6 6.6 0 0 0 2.6-.5',
  file: 'M3.5 1.8h6l3 3v9.4h-9zM9.5 1.8v3h3',
  home: 'M2.5 7 8 2.5 13.5 7v6.5h-4v-4h-3v4h-4z',
  inbox: 'M2 9h3.5l1 2h3l1-2H14M4 3h8l2 6v4.5H2V9z',
  info: 'M8 14A6 6 0 1 0 8 2a6 6 0 0 0 0 12zM8 7.3v3.5M8 5h.01',
  lock: 'M3.5 7h9v6.5h-9zM5.5 7V5a2.5 2.5 0 0 1 5 0v2',
  mail: 'M2 3.5h12v9H2zM2 4.5l6 4.5 6-4.5',
  minus: 'M3 8h10',
  moon: 'M13.2 9.8A5.8 5.8 0 0 1 6.2 2.8a5.8 5.8 0 1 0 7 7z',
  mute: 'M2 2l12 12M4.5 6v4.5L3 12h9M8 13.8h.01M5.6 3.6A4 4 0 0 1 12 6.5v3',
  note: 'M3.5 1.8h6l3 3v9.4h-9zM6 7.5h4M6 10.5h4',
  offline:
    'M2 2l12 12M4.6 9.9a4.8 4.8 0 0 1 2-1.2M2 7.2a8.6 8.6 0 0 1 2.4-1.6M9.2 4.7A8.6 8.6 0 0 1 14 7.2M8 13h.01',
  pause: 'M5.5 3.5v9M10.5 3.5v9',
  pieces: 'M2.5 2.5h4.5v4.5H2.5zM9 2.5h4.5v4.5H9zM2.5 9h4.5v4.5H2.5zM9 9h4.5v4.5H9z',
  play: 'M5 3.2v9.6L12.5 8z',
  plus: 'M8 3v10M3 8h10',
  pulse: 'M1.5 8.5h3l2-5.5 3 10 2-4.5h3',
  screen: 'M2 3h12v8H2zM6 13.5h4',
  search: 'M7 12A5 5 0 1 0 7 2a5 5 0 0 0 0 10zm3.6-1.4L14 14',
  send: 'M8 13V3M4 7l4-4 4 4',
  signOut: 'M9.5 3v-.5h-6v11h6V13M6.5 8H14m-3-3 3 3-3 3',
  stop: 'M4.5 4.5h7v7h-7z',
  sun: 'M8 11a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM8 1.5v1M8 13.5v1M1.5 8h1M13.5 8h1M3.4 3.4l.7.7M11.9 11.9l.7.7M3.4 12.6l.7-.7M11.9 4.1l.7-.7',
  table: 'M2.5 3h11v10h-11zM2.5 6.5h11M2.5 9.8h11M6.5 6.5V13',
  trash: 'M2.5 4.5h11M6 4.5v-2h4v2M4 4.5l.6 9h6.8l.6-9',
  upload: 'M8 10.5v-8M5 5.5l3-3 3 3M2.5 10.5v3h11v-3',
  user: 'M8 8.5a3 3 0 1 0 0-6 3 3 0 0 0 0 6zM2.5 14a5.5 5.5 0 0 1 11 0',
} as const;

export type IconName = keyof typeof PATHS;

/** A decorative icon. The text beside it, or its button's label, carries the meaning. */
export function Icon({ name, className = 'size-4' }: { name: IconName; className?: string }) {
  return (
    <svg
      viewBox="0 0 16 16"
      width="16"
      height="16"
      className={`shrink-0 ${className}`}
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'dots' ? 2 : 1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
