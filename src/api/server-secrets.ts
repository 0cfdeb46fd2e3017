import { randomBytes } from 'node:crypto';
import type { Queryable } from '../eventlog/queryable.ts';
import type { KeyWrap } from '../platform/key-wrap.ts';

/** Keys that every node shares and that no token or event contains. */
export interface ServerSecrets {
  readonly refreshMacKeys: ReadonlyMap<number, Buffer>;
  /** The ring entry that new refresh tokens are made with. */
  readonly refreshMacKeyId: number;
  readonly identifierKey: Buffer;
}

const identifierKid = 'identifier-lookup';
const refreshMacPrefix = 'refresh-mac-';

/**
 * Reads the shared keys, making them the first time; any number of nodes may do so at once, the
 * first row wins. Throws KeyWrapError when the key encryption key is missing or wrong.
 */
export async function loadServerSecrets(
  client: Queryable,
  keyWrap: KeyWrap,
): Promise<ServerSecrets> {
  await createIfMissing(client, keyWrap, identifierKid, 'identifier-lookup');
  await createIfMissing(client, keyWrap, `${refreshMacPrefix}1`, 'refresh-mac');
  const { rows } = await client.query({
    text: `select kid, wrapped from latchkey.key_secrets
      where purpose in ('identifier-lookup', 'refresh-mac')`,
  });
  const refreshMacKeys = new Map<number, Buffer>();
  let identifierKey: Buffer | undefined;
  for (const row of rows) {
    const kid = row.kid as string;
    const key = Buffer.from(await keyWrap.unwrap(kid, row.wrapped as string));
    if (kid === identifierKid) identifierKey = key;
    else refreshMacKeys.set(Number(kid.slice(refreshMacPrefix.length)), key);
  }
  if (identifierKey === undefined) throw new Error('the identifier lookup key is missing');
  return { refreshMacKeys, refreshMacKeyId: Math.max(...refreshMacKeys.keys()), identifierKey };
}

async function createIfMissing(
  client: Queryable,
  keyWrap: KeyWrap,
  kid: string,
  purpose: string,
): Promise<void> {
  const { rows } = await client.query({
    text: 'select 1 from latchkey.key_secrets where kid = $1',
    values: [kid],
  });
  if (rows.length > 0) return;
  await client.query({
    text: `insert into latchkey.key_secrets (kid, purpose, wrapped) values ($1, $2, $3)
      on conflict (kid) do nothing`,
    values: [kid, purpose, await keyWrap.wrap(kid, randomBytes(32))],
  });
}
