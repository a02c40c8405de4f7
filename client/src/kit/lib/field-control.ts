import { createContext, use } from 'react';

/** What ties a control to the label, description and error of its `Field`. */
export interface FieldControl {
  id?: string | undefined;
  'aria-describedby'?: string | undefined;
  'aria-invalid'?: true | undefined;
}

export const FieldContext = createContext<FieldControl>({});

/** Props for the control itself; empty outside of a `Field`. */
export const useFieldControl = () => use(FieldContext);
