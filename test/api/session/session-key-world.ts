import { decodeProtectedHeader } from 'jose';
import type { TestApi } from '../../support/api.ts';
import { withClient } from '../../support/postgres.ts';

/** Every device type gives its sessions keys of their own. */
export const everywhere: Record<string, string> = Object.fromEntries(
  ['WEB', 'MOBILE', 'TABLET', 'DESKTOP', 'SERVICE', 'IOT'].map((type) => [
    `SIGNING_${type}`,
    'session',
  ]),
);

export function kidOf(token: string): string {
  return decodeProtectedHeader(token).kid!;
}

/** What the database holds of a key: the private part, and a session with the public one. */
export function storedKey(api: TestApi, kid: string): Promise<{ secret: boolean; shown: boolean }> {
  return withClient(api.database.ownerUrl, async (client) => {
    const { rows } = await client.query(
      `select exists (select from latchkey.session_key_secrets where kid = $1) as secret,
        exists (select from latchkey.sessions where session_key ->> 'kid' = $1) as shown`,
      [kid],
    );
    return rows[0];
  });
}
