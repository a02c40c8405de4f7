import { useEffect } from 'react';

/** Sets the document title while the component is mounted. */
export function useTitle(title: string) {
  useEffect(() => {
    const before = document.title;
    document.title = title === import.meta.env.APP_NAME ? title : `${title} · ${import.meta.env.APP_NAME}`;
    return () => {
      document.title = before;
    };
  }, [title]);
}
