import { LatchkeyError } from '../domain/kernel/errors.ts';
import { ConfigError } from '../platform/config/config-error.ts';
import { isConnectionError, sqlState } from '../platform/postgres/errors.ts';
import { RedisUnavailableError } from '../platform/redis/link.ts';

/** What an operator does about a refusal of Postgres, by its SQLSTATE. */
const remedies: Readonly<Record<string, string>> = {
  '28P01': 'correct the user and the password in DATABASE_URL',
  '28000': 'correct the user in DATABASE_URL, or let Postgres accept it (pg_hba.conf)',
  '3D000': 'create the database, or correct its name in DATABASE_URL',
  '42P01': 'run `latchkey migrate` first',
  '3F000': 'run `latchkey migrate` first',
  '42501':
    'give DATABASE_URL the role that this command needs: the owner for migrate and rebuild, else the application role',
  '53100': 'the disk of Postgres is full: free some space',
  '53200': 'give Postgres more memory, or lower its settings',
  '53300': 'raise max_connections, or lower POOL_READERS',
  '53400': 'raise the limit of Postgres that it names',
  '57P04': 'restore the database, or correct its name in DATABASE_URL',
};

/** What an operator does about a refusal of Redis. Before 7.2 a script fails without `NOPERM`. */
const redisRemedies: readonly (readonly [RegExp, string])[] = [
  [
    /\bNOPERM\b|executing the script can't/,
    'give the user of REDIS_URL the rights that docs/token-blacklisting.md names',
  ],
  [/\b(WRONGPASS|NOAUTH)\b/, 'correct the user and the password in REDIS_URL'],
  [/\bOOM\b/, 'it is full: give it more memory'],
  [/\bREADONLY\b/, 'it is a replica: let REDIS_URL name the primary'],
];

/**
 * Says what failed, for a terminal: what is wrong, and where it is known the variable and the
 * remedy. No stack, no secret.
 */
export function describeFailure(error: unknown): string {
  if (error instanceof ConfigError) {
    return error.problems.length === 1
      ? sentence(error.message)
      : `The configuration has problems:\n${error.message}`;
  }
  if (error instanceof RedisUnavailableError) {
    const why = error.cause instanceof Error ? error.cause.message : error.reason;
    return sentence(`Redis cannot be used (${why}): ${redisRemedy(why)}`);
  }
  const state = sqlState(error);
  const remedy = state === undefined ? undefined : remedies[state];
  if (remedy !== undefined) return sentence(`Postgres says: ${rootOf(error).message}; ${remedy}`);
  if (isConnectionError(error)) return unreachable(error);
  if (error instanceof LatchkeyError) return describeRefusal(error);
  if (!(error instanceof Error)) return sentence(String(error));
  if (error.name === 'KeyWrapError') {
    return sentence(`KEK does not open what this database holds: ${error.message}`);
  }
  return sentence(error.message);
}

function redisRemedy(why: string): string {
  const known = redisRemedies.find(([pattern]) => pattern.test(why));
  return known?.[1] ?? 'start it, or correct REDIS_URL';
}

function unreachable(error: unknown): string {
  const { address, hostname, port, code, message, severity } = partsOf(rootOf(error));
  if (severity !== undefined) return sentence(`Postgres ended the connection: ${message}`);
  if (code === undefined) {
    const which = `did not answer in time, or ended the connection (${message})`;
    return sentence(`Postgres ${which}: see whether it is overloaded`);
  }
  const at = address ?? hostname;
  const where = at === undefined ? '' : ` at ${at}${port === undefined ? '' : ` port ${port}`}`;
  return sentence(
    `Postgres cannot be reached${where} (${code}): start it, or correct DATABASE_URL`,
  );
}

function describeRefusal({ code, detail, facts, errors }: LatchkeyError): string {
  if (code === 'unavailable') {
    return sentence(`Postgres did not answer in time (${detail}): see whether it is overloaded`);
  }
  const more = facts ?? errors;
  const said = [detail, more && JSON.stringify(more)].filter(Boolean).join(' ');
  return sentence(said === '' ? code : `${said} (${code})`);
}

interface ConnectionFailure {
  readonly address?: string;
  readonly hostname?: string;
  readonly port?: number;
  readonly code?: string;
  readonly message: string;
  /** Only of an error that the server has sent. */
  readonly severity?: string;
}

/** A name with several addresses fails with all of them at once: the first speaks for the others. */
function partsOf(error: Error): ConnectionFailure {
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error;
  return first as ConnectionFailure;
}

function rootOf(error: unknown): Error {
  if (!(error instanceof Error)) return new Error(String(error));
  return error.cause instanceof Error ? rootOf(error.cause) : error;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
