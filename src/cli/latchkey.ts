#!/usr/bin/env node
import { Command } from 'commander';
import { describeFailure } from './describe-failure.ts';
import { dev } from './dev.ts';
import { keysList, keysRevoke, keysRotate } from './keys.ts';
import { logAdopt, logIdentity } from './log.ts';
import { migrateDatabase } from './migrate.ts';
import { rebuild } from './rebuild.ts';
import { serve } from './serve.ts';
import { usersUnlock } from './users.ts';
import { worker } from './worker.ts';

const program = new Command('latchkey')
  .description('A self-hosted, event-sourced session authority')
  .showHelpAfterError();

program
  .command('dev')
  .description('embedded Postgres, migrations, API and worker on loopback')
  .action(dev);
program
  .command('serve')
  .description('the HTTP API, against DATABASE_URL as the application role')
  .option('--reuse-port', 'share the port with other processes (SO_REUSEPORT)')
  .action(serve);
program
  .command('worker')
  .description('the jobs: expiry, pruning, partitions, checks')
  .action(worker);
program
  .command('migrate')
  .description('bring the database of DATABASE_URL, as its owner, to the schema of this release')
  .action(migrateDatabase);
program
  .command('rebuild')
  .description('fold the log into temporary tables, as the owner')
  .option('--compare', 'name every difference between the fold and the live read models')
  .action(rebuild);

const log = program.command('log').description('the identity of the event log');
log
  .command('identity')
  .description('print what the log holds, before pg_upgrade or a planned move')
  .action(logIdentity);
log
  .command('adopt')
  .argument('<file>')
  .description('accept the moved log, if it is exactly what `log identity` printed into <file>')
  .action(logAdopt);

const keys = program.command('keys').description('the issuer keyset');
keys.command('list').description('the keys with their states and times').action(keysList);
keys
  .command('rotate')
  .description('promote the pending key now; the active one verifies until its tokens have expired')
  .action(keysRotate);
keys
  .command('revoke')
  .argument('<kid>')
  .description('refuse every token of a key at once')
  .action(keysRevoke);

program
  .command('users')
  .description('user accounts')
  .command('unlock')
  .argument('<email|id>')
  .description(
    'lift the lock that wrong passwords brought, also when every administrator is locked',
  )
  .action(usersUnlock);

try {
  await program.parseAsync();
} catch (error) {
  console.error(describeFailure(error));
  if (process.env.LOG_LEVEL === 'debug') console.error(error);
  // At once: a handle that something left open must not keep a process that failed.
  process.exit(1);
}
