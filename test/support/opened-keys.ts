import type pg from 'pg';
import type { KeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { openPersonalData, subjectKeyId } from '../../src/platform/crypto/subject-cipher.ts';
import { totpKeyId } from '../../src/tables/totp-secret.ts';
import type { Place } from './at-rest.ts';

interface OpenedKey {
  readonly kid: string;
  readonly bytes: Buffer;
}

/** Every key that the database holds wrapped. */
export async function openedKeys(owner: pg.Client, keyWrap: KeyWrap): Promise<OpenedKey[]> {
  const { rows } = await owner.query(`select kid, wrapped from latchkey.key_secrets
    union all select subject_id::text, wrapped from latchkey.subject_keys
    union all select kid, wrapped from latchkey.session_key_secrets
    union all select factor_id::text, wrapped from latchkey.totp_secrets`);
  const keyIdOf = (kid: string) =>
    /^[0-9a-f]{8}-/.test(kid) ? [subjectKeyId(kid), kid, totpKeyId(kid)] : [kid];
  return Promise.all(
    rows.map(async ({ kid, wrapped }) => {
      for (const keyId of keyIdOf(kid)) {
        const bytes = await keyWrap.unwrap(keyId, wrapped).catch(() => null);
        if (bytes !== null) return { kid, bytes: Buffer.from(bytes) };
      }
      throw new Error(`${kid} does not open`);
    }),
  );
}

/** The secret part of a private key; null for any other key, whose bytes are random. */
export function privatePartOf(bytes: Buffer): Buffer | null {
  const text = bytes.toString();
  if (!text.startsWith('{"') || !text.endsWith('}')) return null;
  return Buffer.from((JSON.parse(text) as { d: string }).d, 'base64url');
}

/** All personal data of events, users and sessions, but of those who were erased. */
export async function openedPersonalData(
  owner: pg.Client,
  opened: readonly OpenedKey[],
): Promise<Place[]> {
  const keys = new Map(opened.map(({ kid, bytes }) => [kid, bytes]));
  const { rows } = await owner.query(`
    select subject_id::text as subject, pii from latchkey.events where pii is not null
    union all select user_id::text, pii from latchkey.users where pii is not null
    union all select user_id::text, pii from latchkey.sessions where pii is not null
    union all select user_id::text, end_pii from latchkey.sessions where end_pii is not null`);
  return rows
    .filter(({ subject, pii }) => pii.length > 0 && keys.has(subject))
    .map(({ subject, pii }) => {
      const data = openPersonalData(keys.get(subject)!, subject, pii);
      return { place: `personal data of ${subject}`, bytes: Buffer.from(JSON.stringify(data)) };
    });
}
