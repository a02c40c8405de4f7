/**
 * What is loaded when it is needed: once a user is signed in, on a screen of accounts, or after a 401. A file of its own, so that
 * the home screen holds the name of one file only.
 */
export const challenge = () => import('./challenge.ts');
export const overlayContent = () => import('./overlay-content.tsx');
export const menu = () => import('./account-menu.tsx');
export const signIn = () => import('./sign-in-screen.tsx');
export const signUp = () => import('./sign-up-screens.tsx');
export const links = () => import('./link-screens.tsx');
export const accountScreen = () => import('./account-screen.tsx');
export const usersScreen = () => import('./admin/users-screen.tsx');
export const userScreen = () => import('./admin/user-screen.tsx');
export const invitationsScreen = () => import('./admin/invitations-screen.tsx');
