import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { requireSameMajor } from '../../../src/platform/embedded-postgres/cluster-version.ts';
import { startEmbeddedPostgres } from '../../../src/platform/embedded-postgres/start.ts';
import { silentLogger } from '../../support/cluster.ts';
import { readText } from '../../support/source-files.ts';

let dataDir: string;
beforeEach(() => {
  dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-older-'));
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

describe('data of another major version', () => {
  it('F19: is refused with both versions and where the way out stands', async () => {
    const postgres = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
    await postgres.stop();
    const cluster = path.join(dataDir, 'postgres');
    writeFileSync(path.join(cluster, 'PG_VERSION'), '17\n');
    const heading = 'An older embedded Postgres';
    await expect(startEmbeddedPostgres({ dataDir, logger: silentLogger })).rejects.toThrow(
      new RegExp(`is of Postgres 17, and this release brings Postgres \\d+\\..*${heading}`),
    );
    expect(readText('docs/operations.md')).toContain(`## ${heading}`);
  });

  it('F19: a minor release is no other version', () => {
    writeFileSync(path.join(dataDir, 'PG_VERSION'), '18\n');
    expect(() => requireSameMajor(dataDir, 'postgres (PostgreSQL) 18.4')).not.toThrow();
    expect(() => requireSameMajor(dataDir, 'postgres (PostgreSQL) 19beta1')).toThrow('19');
  });
});
