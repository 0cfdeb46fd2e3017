#!/usr/bin/env node
import { Command } from 'commander';
import { describeFailure } from './describe-failure.ts';

// Each command loads what it runs: `keys list` or `--help` need not wait for the whole server.
const program = new Command('latchkey')
  .description('A self-hosted, event-sourced session authority')
  .showHelpAfterError();

program
  .command('dev')
  .description('embedded Postgres, migrations, API and worker on loopback')
  .action(async () => (await import('./dev.ts')).dev());
program
  .command('serve')
  .description('the HTTP API, against DATABASE_URL as the application role')
  .option('--reuse-port', 'share the port with other processes (SO_REUSEPORT)')
  .action(async (options) => (await import('./serve.ts')).serve(options));
program
  .command('worker')
  .description('the jobs: expiry, pruning, partitions, checks')
  .action(async () => (await import('./worker.ts')).worker());
program
  .command('migrate')
  .description('bring the database of DATABASE_URL, as its owner, to the schema of this release')
  .action(async () => (await import('./migrate.ts')).migrateDatabase());
program
  .command('rebuild')
  .description('fold the log into temporary tables, as the owner')
  .option('--compare', 'name every difference between the fold and the live read models')
  .action(async (options) => (await import('./rebuild.ts')).rebuild(options));

const log = program.command('log').description('the identity of the event log');
log
  .command('identity')
  .description('print what the log holds, before pg_upgrade or a planned move')
  .action(async () => (await import('./log.ts')).logIdentity());
log
  .command('adopt')
  .argument('<file>')
  .description('accept the moved log, if it is exactly what `log identity` printed into <file>')
  .action(async (file) => (await import('./log.ts')).logAdopt(file));

const keys = program.command('keys').description('the issuer keyset');
keys
  .command('list')
  .description('the keys with their states and times')
  .action(async () => (await import('./keys.ts')).keysList());
keys
  .command('rotate')
  .description('promote the pending key; the active one verifies until its tokens have expired')
  .option(
    '--now',
    'also a key that caches of the JWKS may lack: they refuse its tokens until they fetch again',
  )
  .action(async ({ now }) => (await import('./keys.ts')).keysRotate({ now: now === true }));
keys
  .command('revoke')
  .argument('<kid>')
  .description('refuse every token of a key on every node, from its next poll on')
  .action(async (kid) => (await import('./keys.ts')).keysRevoke(kid));
keys
  .command('rewrap')
  .description('wrap every stored key anew under the first key of KEK')
  .action(async () => (await import('./rewrap.ts')).keysRewrap());

const redis = program.command('redis').description('the read model in Redis');
redis
  .command('rebuild')
  .description('delete it and build it again from the log; workers may run meanwhile')
  .action(async () => (await import('./redis.ts')).redisRebuild());
redis
  .command('check')
  .description('compare it with the revocations; exit code 2 when something is missing')
  .action(async () => (await import('./redis.ts')).redisCheck());

const jobs = program.command('jobs').description('jobs of the worker that failed for good');
jobs
  .command('failed')
  .description('how many failed in each queue, and why the last one did')
  .action(async () => (await import('./jobs.ts')).jobsFailed());
jobs
  .command('redrive')
  .argument('[queue]')
  .description('put them back into their queues, all or those of one queue')
  .action(async (queue) => (await import('./jobs.ts')).jobsRedrive(queue));

const users = program.command('users').description('user accounts');
users
  .command('import')
  .argument('<file>', 'one JSON object on each line, or the export of a system; - for stdin')
  .description('register users of another system, with their password hashes')
  .option('--from <system>', 'keycloak, auth0, supabase or better-auth; default: our own format')
  .option('--source <name>', 'name of the system whose ids these are; default: that of --from')
  .option('--dry-run', 'write nothing, and say what would be refused')
  .option('--trust-verified', 'believe the file which addresses are verified')
  .option('--rejects <file>', 'where users that are refused go; default: <file>.rejects.ndjson')
  .action(async (file, options) => (await import('./users-import.ts')).usersImport(file, options));
users
  .command('export')
  .argument('<file>', 'where they go, for its owner alone to read; - for stdout')
  .description('write every user as one JSON object on a line, as `users import` reads them')
  .option('--password-hashes', 'with the hashes of their passwords')
  .action(async (file, options) => (await import('./users-export.ts')).usersExport(file, options));
users
  .command('unlock')
  .argument('<email|id>')
  .description(
    'lift the lock that wrong passwords brought, also when every administrator is locked',
  )
  .action(async (user) => (await import('./users.ts')).usersUnlock(user));
users
  .command('remove-totp')
  .argument('<email|id>')
  .description('remove the second factor of a person who lost it, and end every session')
  .action(async (user) => (await import('./users.ts')).usersRemoveTotp(user));
users
  .command('enrolment-code')
  .argument('<email|id>')
  .description('print the code with which an administrator enrols a first second factor')
  .action(async (user) => (await import('./users.ts')).usersEnrolmentCode(user));
users
  .command('erase')
  .argument('<email|id>')
  .description('erase a person: sessions, password, address and the key of all personal data')
  .option('--yes', 'do not ask')
  .action(async (user, { yes }) =>
    (await import('./erase-user.ts')).usersErase(user, { yes: yes === true }),
  );

program
  .command('networks')
  .description('networks in the log')
  .command('name')
  .argument('[addresses...]', 'default: the first word of each line of standard input')
  .description('print the name that the network of each address has in log lines')
  .action(async (addresses) => (await import('./networks.ts')).networksName(addresses));

try {
  await program.parseAsync();
} catch (error) {
  console.error(describeFailure(error));
  if (process.env.LOG_LEVEL === 'debug') console.error(error);
  // At once: a handle that something left open must not keep a process that failed.
  process.exit(1);
}
