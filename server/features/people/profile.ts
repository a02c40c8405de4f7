/**
 * YOURS. The fields of an account besides its name and address, as TypeBox: the sign-up and the account screen may send them,
 * and nothing else. `onSignUp` and `request.scope` see them; docs/recipes.md has an example.
 */
import { Type } from 'typebox';

export const profile = Type.Object({});
