/**
 * YOURS. What each role allows: permissions that parts declare. Everybody who is signed in has the role `user`. Operators have all
 * permissions; their role `operator` is built in.
 */
export const roles = {
  user: [
    // Everybody who is signed in.
    'notes:read',
    'notes:write',
  ],
  // support: ['orders:read'],
};
