import type { Queryable } from './queryable.ts';

interface TimeLimit {
  readonly minMs: number;
  readonly maxMs: number;
  readonly set: string;
}

/** Values of a session on which an append would mean something else, or an answer be misread. */
const exact: Readonly<Record<string, string>> = {
  default_transaction_isolation: 'read committed',
  default_transaction_read_only: 'off',
  array_nulls: 'on',
  transform_null_equals: 'off',
  exit_on_error: 'off',
  standard_conforming_strings: 'on',
  idle_session_timeout: '0',
};

const timeLimits: Readonly<Record<string, TimeLimit>> = {
  statement_timeout: { minMs: 2_000, maxMs: 60_000, set: '10s' },
  lock_timeout: { minMs: 500, maxMs: 10_000, set: '2s' },
  idle_in_transaction_session_timeout: { minMs: 1_000, maxMs: 60_000, set: '5s' },
};

/**
 * What this session's settings break, those of the server, of the database and of the role. Each
 * problem says the statement that mends it; `latchkey migrate` runs these. `hasLimits`: whether the
 * role must have the time limits of the application.
 */
export async function sessionProblems(client: Queryable, hasLimits: boolean): Promise<string[]> {
  const { rows } = await client.query({
    text: `select name, setting, current_user as role, current_database() as database
      from pg_settings where name = any ($1)`,
    values: [['DateStyle', 'server_encoding', ...Object.keys(exact), ...Object.keys(timeLimits)]],
  });
  const problems: string[] = [];
  for (const { name, setting, role, database } of rows as Record<string, string>[]) {
    const mend = (value: string) =>
      `run \`latchkey migrate\`, or: alter role ${role} in database ${database} set ${name} = '${value}'`;
    const limit = timeLimits[name!];
    if (name === 'server_encoding' && setting !== 'UTF8') {
      problems.push(`The database is encoded in ${setting}: create it with encoding UTF8.`);
    }
    if (name === 'DateStyle' && !setting!.startsWith('ISO')) {
      problems.push(`DateStyle is ${setting}: ${mend('ISO, MDY')}`);
    }
    if (name! in exact && setting !== exact[name!]) {
      problems.push(`${name} is ${setting} and must be ${exact[name!]}: ${mend(exact[name!]!)}`);
    }
    if (limit === undefined || !hasLimits) continue;
    if (Number(setting) < limit.minMs || Number(setting) > limit.maxMs) {
      const range = `between ${limit.minMs} and ${limit.maxMs} ms`;
      problems.push(`${name} is ${setting} ms and must be ${range}: ${mend(limit.set)}`);
    }
  }
  return problems;
}
