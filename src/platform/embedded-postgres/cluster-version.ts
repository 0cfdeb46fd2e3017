import { readFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Throws when the cluster was made by another major version of Postgres than `server` is (the
 * output of `postgres --version`): it could not even start on that data.
 */
export function requireSameMajor(cluster: string, server: string): void {
  const ofData = readFileSync(path.join(cluster, 'PG_VERSION'), 'utf8').trim();
  const ofServer = /(\d+)/.exec(server)?.[1];
  if (ofData === ofServer) return;
  throw new Error(
    `The data in ${cluster} is of Postgres ${ofData}, and this release brings Postgres ${ofServer}. ` +
      'Move it as docs/operations.md says under "An older embedded Postgres", ' +
      'or set another DATA_DIR to begin anew',
  );
}
