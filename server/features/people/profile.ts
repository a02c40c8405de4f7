/**
 * YOURS. The fields of an account besides its name and address, as TypeBox. The account screen shows a field for each text, number,
 * boolean, enum and union of literals, by its `title` and `description`; the sign-up shows those that are required. `onSignUp`
 * sees them; docs/recipes.md has an example.
 */
import { Type } from 'typebox';

export const profile = Type.Object({});
