import { crc32 } from 'node:zlib';
import { keyPrefix } from '../../server/features/people/keys.ts';
import { hashToken } from '../../server/modules/accounts/flows/cookies.ts';
import type { TestUser } from './user.ts';

const ID = 'test-user';
const KEY_BEFORE_CHECKSUM = `${keyPrefix}_${'7e57'.repeat(4)}_${'7e57'.repeat(16)}`;
const KEY = KEY_BEFORE_CHECKSUM + crc32(KEY_BEFORE_CHECKSUM).toString(16).padStart(8, '0');

/** A user with an API key, which holds for test databases alone. */
export const accountUser: Partial<TestUser> = {
  id: ID,
  headers: { authorization: `Bearer ${KEY}` },
  rows: [
    `insert into users (id, name, email, email_verified) values ('${ID}', 'Test', '${ID}@example.com', true)
       on conflict do nothing`,
    `insert into api_keys (id, user_id, name, hash, permissions)
       values ('${ID}', '${ID}', 'tests', '${hashToken(KEY)}', '{notes:read,notes:write}') on conflict do nothing`,
  ],
};
