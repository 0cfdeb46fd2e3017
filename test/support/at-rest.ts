import { lstatSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Redis } from 'ioredis';
import type pg from 'pg';

/** Something that stays when the process ends, and what it holds. */
export interface Place {
  readonly place: string;
  readonly bytes: Buffer;
}

/** Each table of every schema but Postgres' own, row by row as a dump writes it. */
export async function* dumpedTables(owner: pg.Client): AsyncGenerator<Place> {
  const { rows: tables } = await owner.query(
    `select format('%I.%I', nspname, relname) as name from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      where relkind = 'r' and nspname not like 'pg\\_%' and nspname <> 'information_schema'`,
  );
  for (const { name } of tables) {
    const { rows } = await owner.query(`select t::text as line from ${name} t`);
    const text = rows.map(({ line }) => line).join('\n');
    yield { place: `dump: ${name}`, bytes: Buffer.from(text) };
  }
}

/** Each key of a Redis, with its name and all that it holds. */
export async function* heldInRedis(client: Redis): AsyncGenerator<Place> {
  const names = new Set<string>();
  for await (const page of client.scanStream({ count: 1_000 })) {
    for (const name of page as string[]) names.add(name);
  }
  for (const name of names) {
    const held = await valuesOf(client, name);
    const bytes = Buffer.concat([name, ...held].flatMap((part) => [Buffer.from(part), newline]));
    yield { place: `Redis: ${name}`, bytes };
  }
}

const newline = Buffer.from('\n');

/** Writes a secret in each spelling into a table of its own, and into the log of the server. */
export async function plantInPostgres(owner: pg.Client, secret: Buffer): Promise<void> {
  const hex = secret.toString('hex');
  const jwk = { kty: 'OKP', d: secret.toString('base64url') };
  await owner.query('create table latchkey.planted (raw bytea, hex text, base64 text, jwk json)');
  await owner.query('insert into latchkey.planted values ($1, $2, $3, $4)', [
    ...[secret, hex, secret.toString('base64'), jwk],
  ]);
  await owner.query(`do $$ begin raise log '%', '${hex}'; end $$`);
}

/** Writes a secret into a value of each type that `heldInRedis` reads, and into a name. */
export async function plantEverywhere(client: Redis, secret: Buffer): Promise<void> {
  const hex = secret.toString('hex');
  await client.set('planted:string', secret);
  await client.sadd('planted:set', hex);
  await client.zadd('planted:zset', 1, hex);
  await client.hset('planted:hash', 'field', hex);
  await client.set(`planted:${hex}`, '1');
}

async function valuesOf(client: Redis, name: string): Promise<(Buffer | string)[]> {
  const type = await client.type(name);
  switch (type) {
    case 'string': {
      const value = await client.getBuffer(name);
      return value === null ? [] : [value];
    }
    case 'set':
      return client.smembersBuffer(name);
    case 'zset':
      return client.zrangeBuffer(name, '0', '-1');
    case 'hash':
      return Object.entries(await client.hgetallBuffer(name)).flat();
    case 'none':
      // It has expired since it was listed.
      return [];
    default:
      throw new Error(`${name} is a ${type}, which nobody reads here yet`);
  }
}

/** Every file below a data directory whose server has stopped, its WAL and its logs among them. */
export function* filesBelow(directory: string, below = ''): Generator<Place> {
  for (const name of readdirSync(path.join(directory, below))) {
    const relative = path.join(below, name);
    const file = path.join(directory, relative);
    const status = lstatSync(file);
    if (status.isDirectory()) yield* filesBelow(directory, relative);
    else if (status.isFile()) yield { place: relative, bytes: readFileSync(file) };
  }
}
