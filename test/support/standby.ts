import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { startEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { silentLogger } from './cluster.ts';
import { until } from './fault-node.ts';
import { type PrivatePostgres, withClient } from './postgres.ts';

/** A streaming standby of a private Postgres, with the name `standby`. */
export interface Standby {
  readonly ownerUrl: string;
  readonly appUrl: string;
  /** Resolves once it has replayed all that the primary has written. */
  caughtUp(): Promise<void>;
  /** Stops receiving, and receives again. */
  receive(on: boolean): Promise<void>;
  promote(): Promise<void>;
  remove(): Promise<void>;
}

/** Made with the backup functions of SQL: the embedded binaries have no pg_basebackup. */
export async function startStandby(primary: PrivatePostgres): Promise<Standby> {
  const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-standby-'));
  const cluster = path.join(dataDir, 'postgres');
  await withClient(primary.ownerUrl, async (client) => {
    await client.query("select pg_backup_start('standby', true)");
    cpSync(primary.dataDir, dataDir, {
      recursive: true,
      filter: (source) => !/\/(postmaster\.(pid|opts)|postgres\.lock|postgres-port)$/.test(source),
    });
    const { rows } = await client.query('select labelfile from pg_backup_stop(false)');
    writeFileSync(path.join(cluster, 'backup_label'), rows[0]!.labelfile);
  });
  writeFileSync(path.join(cluster, 'standby.signal'), '');
  const { port, username, password } = new URL(primary.ownerUrl);
  const as = `user=${username} password=${password} application_name=standby`;
  const source = `host=127.0.0.1 port=${port} ${as}`;
  writeFileSync(path.join(cluster, 'postgresql.auto.conf'), `primary_conninfo = '${source}'\n`);
  const postgres = await startEmbeddedPostgres({ dataDir, logger: silentLogger });
  const owner = (sql: string) => withClient(postgres.superuserUrl, (client) => client.query(sql));
  return {
    ownerUrl: postgres.superuserUrl,
    appUrl: postgres.urlFor('latchkey_app', postgres.appPassword),
    caughtUp: async () => {
      const { rows } = await withClient(primary.ownerUrl, (client) =>
        client.query('select pg_current_wal_flush_lsn()::text as lsn'),
      );
      const behind = `select pg_last_wal_replay_lsn() < '${rows[0]!.lsn}'::pg_lsn as behind`;
      await until(async () => (await owner(behind)).rows[0]!.behind === false, 10_000);
    },
    receive: async (on) => {
      await owner(`alter system set primary_conninfo = '${on ? source : ''}'`);
      await owner('select pg_reload_conf()');
      const receivers = 'select count(*)::int as n from pg_stat_wal_receiver';
      await until(async () => (await owner(receivers)).rows[0]!.n === (on ? 1 : 0), 10_000);
    },
    promote: async () => void (await owner('select pg_promote()')),
    remove: async () => {
      await postgres.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
