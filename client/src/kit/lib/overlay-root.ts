import { createContext, type RefObject, use } from 'react';

/** True within dialogs: what opens there belongs to the dialog, because everything outside of it is inert. */
export const InDialog = createContext(false);

/** Looked up when an overlay opens: at the first render the element is still the prerendered shell's. */
const main: RefObject<HTMLElement | null> = {
  get current() {
    return document.getElementById('main');
  },
};

/** The element that holds menus, lists and tooltips: the `main` landmark, so that no content lies outside of landmarks. */
export const useOverlayRoot = () => (use(InDialog) ? undefined : main);
