import { useEffect } from 'react';

/** Names the page in the tab, the history, and for a screen reader. */
export function useTitle(title: string) {
  useEffect(() => {
    document.title = title === import.meta.env.APP_NAME ? title : `${title} · ${import.meta.env.APP_NAME}`;
  }, [title]);
}
