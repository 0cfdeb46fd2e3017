import { readFileSync } from 'node:fs';
import { adoptLog, type LogProof, proveLog } from '../eventlog/log-proof.ts';
import type { Queryable } from '../eventlog/queryable.ts';
import { loadConfig } from '../node/config.ts';
import { databaseUrls } from './database.ts';
import { withReaders } from './with-readers.ts';

const oneDayMs = 86_400_000;

/** Prints a proof of what the log holds, to be kept while it is moved. Stop every process first. */
export function logIdentity(): Promise<void> {
  return withOwner(async (client) => {
    console.log(JSON.stringify(await proveLog(client), null, 2));
  });
}

/** Adopts the log where it stands now, if it is the one of the proof in `file`. */
export function logAdopt(file: string): Promise<void> {
  const given = readProof(file);
  return withOwner(async (client) => {
    await adoptLog(client, given);
    console.log(`adopted: ${given.tables.events?.rows ?? 0} events, head ${given.head}`);
  });
}

function readProof(file: string): LogProof {
  const text = readFileSync(file, 'utf8');
  try {
    const given = JSON.parse(text) as LogProof | null;
    if (given?.format === 1) return given;
  } catch {
    // Text that is no JSON is no proof either.
  }
  throw new Error(`${file} is no output of \`latchkey log identity\``);
}

function withOwner(work: (client: Queryable) => Promise<void>): Promise<void> {
  const config = loadConfig(process.env, 'migrate');
  const command = { config, databaseUrl: databaseUrls(config).owner, name: 'latchkey log' };
  return withReaders(command, (readers) => readers.use(work, { timeoutMs: oneDayMs }));
}
