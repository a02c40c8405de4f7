import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { accountScene, type Browser, type Scene, signedIn } from '../../../../tests/support/accounts.ts';
import { query } from '../../../../tests/support/postgres.ts';

let scene: Scene;
beforeAll(async () => {
  scene = await accountScene();
});
afterAll(() => scene[Symbol.asyncDispose]());

const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest();
const USER_PRESENT = 0x01;
const USER_VERIFIED = 0x04;
const HAS_CREDENTIAL = 0x40;

/** What a device does: it makes key pairs, and signs challenges for the page's origin (Web Authentication, level 3). */
class Authenticator {
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  readonly id = randomBytes(16).toString('base64url');
  origin = 'https://app.test';
  flags = USER_PRESENT | USER_VERIFIED;
  counter = 0;

  #client = (type: string, challenge: string) =>
    Buffer.from(JSON.stringify({ type, challenge, origin: this.origin, crossOrigin: false }));

  #data(flags: number): Buffer {
    const counter = Buffer.alloc(4);
    counter.writeUInt32BE(++this.counter);
    return Buffer.concat([sha256(new URL(this.origin).hostname), Buffer.from([flags]), counter]);
  }

  create({ challenge }: { challenge: string }) {
    const id = Buffer.from(this.id, 'base64url');
    const { x = '', y = '' } = this.#keys.publicKey.export({ format: 'jwk' });
    const bytes = (text: string) => Buffer.concat([Buffer.from([0x58, 32]), Buffer.from(text, 'base64url')]);
    // COSE, as CBOR: a map of { 1: 2, 3: -7, -1: 1, -2: x, -3: y }.
    const key = Buffer.concat([
      Buffer.from([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21]),
      bytes(x),
      Buffer.from([0x22]),
      bytes(y),
    ]);
    const data = Buffer.concat([
      this.#data(this.flags | HAS_CREDENTIAL),
      Buffer.alloc(16),
      Buffer.from([0, id.length]),
      id,
      key,
    ]);
    const text = (value: string) => Buffer.concat([Buffer.from([0x60 + value.length]), Buffer.from(value)]);
    const attestation = Buffer.concat([
      Buffer.from([0xa3]),
      text('fmt'),
      text('none'),
      text('attStmt'),
      Buffer.from([0xa0]),
      text('authData'),
      Buffer.from([0x58, data.length]),
      data,
    ]);
    return this.#shown({
      clientDataJSON: this.#client('webauthn.create', challenge).toString('base64url'),
      attestationObject: attestation.toString('base64url'),
      transports: ['internal'],
    });
  }

  get({ challenge }: { challenge: string }) {
    const client = this.#client('webauthn.get', challenge);
    const data = this.#data(this.flags);
    const signature = sign('sha256', Buffer.concat([data, sha256(client)]), this.#keys.privateKey);
    return this.#shown({
      clientDataJSON: client.toString('base64url'),
      authenticatorData: data.toString('base64url'),
      signature: signature.toString('base64url'),
    });
  }

  #shown = (response: object) => ({
    response: { id: this.id, rawId: this.id, type: 'public-key', clientExtensionResults: {}, response },
  });
}

const begin = async (browser: Browser) =>
  (await browser.post('/passkeys/begin')).body as never as { challenge: string };

async function withPasskey(email: string) {
  const browser = await signedIn(scene, email);
  const device = new Authenticator();
  const options = await begin(browser);
  expect(options).toMatchObject({
    rp: { id: 'app.test' },
    authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
  });
  const added = await browser.post('/passkeys', { name: 'Laptop', ...device.create(options) });
  expect(added, JSON.stringify(added.body)).toMatchObject({ status: 200, body: { name: 'Laptop' } });
  return { browser, device };
}

async function signIn(
  device: Authenticator,
  change: (sent: { response: object }) => object = (sent) => sent,
) {
  const browser = scene.browser();
  const options = (await browser.post('/sign-in/passkey/begin')).body as never as { challenge: string };
  expect(options).toMatchObject({ userVerification: 'required' });
  const sent = change(device.get(options));
  const answer = await browser.post('/sign-in/passkey', sent);
  return { browser, status: answer.status, sent };
}

it('is added with a mail to the owner, signs in without a password, and is removed', async () => {
  const email = 'key@example.com';
  const { browser, device } = await withPasskey(email);
  expect(scene.mailbox.at(-1)).toMatchObject({ to: email, template: 'passkey-added' });
  const signed = await signIn(device);
  expect(signed.status).toBe(200);
  expect(await signed.browser.me()).toMatchObject({ user: { email } });
  const list = (await browser.send('GET', '/api/account/passkeys')).body as never as {
    items: { id: string }[];
  };
  expect(list.items).toHaveLength(1);
  const [{ id }] = list.items as [{ id: string }];
  const other = await signedIn(scene, 'other@example.com');
  expect((await other.send('DELETE', `/api/account/passkeys/${id}`)).status).toBe(404);
  expect((await browser.send('DELETE', `/api/account/passkeys/${id}`)).status).toBe(204);
  expect((await signIn(device)).status).toBe(401);
});

it('signs in from no other page, no locked device, no copy, and no answer twice', async () => {
  const { device } = await withPasskey('careful@example.com');
  device.origin = 'https://app.test.evil.example';
  expect((await signIn(device)).status).toBeGreaterThanOrEqual(400);
  device.origin = 'https://app.test';
  device.flags = USER_PRESENT;
  expect((await signIn(device)).status).toBe(401);
  device.flags = USER_PRESENT | USER_VERIFIED;
  const good = await signIn(device);
  expect(good.status).toBe(200);
  // The challenge was used up, in this browser and in any other.
  expect((await good.browser.post('/sign-in/passkey', good.sent as object)).status).toBe(401);
  expect((await signIn(device, () => good.sent as object)).status).toBeGreaterThanOrEqual(400);
  // A copy of the device counts behind it.
  device.counter = 0;
  expect((await signIn(device)).status).toBeGreaterThanOrEqual(400);
  const stranger = new Authenticator();
  expect((await signIn(stranger)).status).toBe(401);
});

it("is not added by another's challenge, nor where the sign-in is not recent", async () => {
  const one = await signedIn(scene, 'one@example.com');
  const two = await signedIn(scene, 'two@example.com');
  const options = await begin(one);
  await begin(two);
  const answer = await two.post('/passkeys', { name: 'Theirs', ...new Authenticator().create(options) });
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect((await scene.browser().post('/passkeys/begin')).status).toBe(401);
});

it('keeps no challenge that nobody answered', async () => {
  await scene.browser().post('/sign-in/passkey/begin');
  await query(scene.database.url, `update verifications set expires_at = now() - interval '1 second'`);
  await scene.browser().post('/sign-in/passkey/begin');
  expect((await query(scene.database.url, 'select from verifications')).rowCount).toBe(1);
});
