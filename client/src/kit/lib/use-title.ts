import { useEffect } from 'react';

/** Names the page in the tab, the history, and for a screen reader, until the component goes. */
export function useTitle(title: string) {
  useEffect(() => {
    const before = document.title;
    document.title = title === import.meta.env.APP_NAME ? title : `${title} · ${import.meta.env.APP_NAME}`;
    return () => {
      document.title = before;
    };
  }, [title]);
}
