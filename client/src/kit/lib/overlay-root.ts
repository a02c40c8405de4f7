import { createContext, use } from 'react';

/** True within dialogs: what opens there belongs to the dialog, because everything outside of it is inert. */
export const InDialog = createContext(false);

/** The element that holds menus, lists and tooltips: inside the `main` landmark, so that no content lies outside of landmarks. */
export const useOverlayRoot = () => {
  const isInDialog = use(InDialog);
  return isInDialog ? undefined : (document.getElementById('main') ?? undefined);
};
