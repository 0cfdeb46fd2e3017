import { spawn } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import {
  createWriteStream,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { cpus, loadavg, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { phcString } from '../src/platform/crypto/foreign-hash.ts';
import { benchKek } from './support/bench-node.ts';
import { openClient, startBenchPostgres } from './support/bench-postgres.ts';
import { benchCommand, today } from './support/report-head.ts';

// `npx node bench/import.ts`: how long `latchkey users import` takes for 100,000 users, a tenth of
// them with each kind of hash and the rest with Argon2id, and how much memory; then the same file
// again, when all of them are there. The hashes are of no password: an import compares none.

const { values: flags } = parseArgs({
  options: {
    users: { type: 'string', default: '100000' },
    write: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const users = Number(flags.users);
const latchkey = path.resolve(import.meta.dirname, '../src/cli/latchkey.ts');
const targetSeconds = 60;
const targetMib = 300;

const unpadded = (bytes: number) => randomBytes(bytes).toString('base64').replaceAll('=', '');
const derived = () => ({ salt: randomBytes(16), digest: randomBytes(32) });
const bcryptText = () => randomBytes(40).toString('hex').slice(0, 53);
const kinds = [
  () => `$2b$12$${bcryptText().slice(0, 21)}e${bcryptText().slice(0, 31)}`,
  () => phcString({ kind: 'scrypt', log2N: 14, r: 16, p: 1, ...derived() }),
  () => phcString({ kind: 'pbkdf2', algorithm: 'sha1', iterations: 1_300_000, ...derived() }),
  () => phcString({ kind: 'pbkdf2', algorithm: 'sha256', iterations: 600_000, ...derived() }),
  () => phcString({ kind: 'pbkdf2', algorithm: 'sha512', iterations: 210_000, ...derived() }),
  () => `$argon2i$v=19$m=7168,t=5,p=1$${unpadded(16)}$${unpadded(32)}`,
];
const otherKind = () => `$argon2id$v=19$m=65536,t=3,p=4$${unpadded(16)}$${unpadded(32)}`;

async function writeUsers(file: string): Promise<void> {
  const stream = createWriteStream(file);
  for (let n = 0; n < users; n += 1) {
    const password_hash = (kinds[n % 10] ?? otherKind)();
    const user = {
      id: n % 2 === 0 ? randomUUID() : `${n}`,
      email: `person-${n}@example.test`,
      name: `Person ${n}`,
      roles: ['customer'],
      password_hash,
    };
    if (!stream.write(`${JSON.stringify(user)}\n`)) await once(stream, 'drain');
  }
  stream.end();
  await once(stream, 'finish');
}

interface Measured {
  readonly seconds: number;
  readonly rssMib: number;
  readonly processorSeconds: number;
  readonly said: string;
}

async function importFile(file: string, databaseUrl: string, flagsOfNode: string[] = []) {
  const begun = performance.now();
  const child = spawn(process.execPath, [...flagsOfNode, latchkey, 'users', 'import', file], {
    env: {
      PATH: process.env.PATH,
      DATABASE_URL: databaseUrl,
      KEK: benchKek,
      APP_ENV: 'dev',
      LOG_LEVEL: 'fatal',
    },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const measured = { rssMib: 0, processorSeconds: 0, said: '' };
  const timer = setInterval(() => Object.assign(measured, procOf(child.pid!, measured)), 100);
  child.stdout.on('data', (chunk) => (measured.said += chunk));
  const [code] = await once(child, 'close');
  clearInterval(timer);
  if (code !== 0) throw new Error(`the import ended with ${code}`);
  return { ...measured, seconds: (performance.now() - begun) / 1000 } satisfies Measured;
}

/** The most memory that the process has had (VmHWM), and its processor time until now. */
function procOf(pid: number, before: { rssMib: number; processorSeconds: number }) {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const [, , , , , , , , , , , , , user, system] = readFileSync(
      `/proc/${pid}/stat`,
      'utf8',
    ).split(' ');
    return {
      // A process that has just ended has no memory any more.
      rssMib: Math.max(before.rssMib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) / 1024),
      processorSeconds: (Number(user) + Number(system)) / 100,
    };
  } catch {
    return before;
  }
}

async function main(): Promise<void> {
  const loadBefore = loadavg()[0]!;
  await using opened = new AsyncDisposableStack();
  const directory = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-import-'));
  opened.defer(() => rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'users.ndjson');
  await writeUsers(file);
  const postgres = opened.adopt(await startBenchPostgres(), (server) => server.remove());
  const profile =
    flags.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${flags.profile}`];
  const first = await importFile(file, postgres.appUrl, profile);
  const again = await importFile(file, postgres.appUrl);
  const owner = await openClient(opened, postgres.ownerUrl);
  const { rows } = await owner.query('select count(*)::int as users from latchkey.users');
  if (rows[0].users !== users) throw new Error(`${rows[0].users} users, not ${users}`);
  const report = reportOf({ first, again, loadBefore, mib: statSync(file).size / 1024 ** 2 });
  console.info(report);
  if (flags.write) writeFileSync(path.join(import.meta.dirname, 'results', 'import.md'), report);
}

interface Result {
  readonly first: Measured;
  readonly again: Measured;
  readonly loadBefore: number;
  readonly mib: number;
}

function reportOf({ first, again, loadBefore, mib }: Result): string {
  const row = (what: string, { seconds, rssMib, processorSeconds }: Measured) =>
    `| ${what} | ${seconds.toFixed(1)} | ${Math.round(users / seconds)} | ` +
    `${processorSeconds.toFixed(1)} | ${Math.round(rssMib)} |`;
  return `# Import of ${users} users

\`${benchCommand('import')}\` of ${today()}, Node ${process.version},
${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}). Load when it began:
${loadBefore.toFixed(1)} processes (1-minute average).

\`latchkey users import\` as a process of its own, with its start, against an embedded
Postgres on the same machine that flushes every commit. The file has ${mib.toFixed(0)} MiB: a tenth
of the users has each of bcrypt, scrypt, PBKDF2
with SHA-1, SHA-256 and SHA-512, and Argon2i, the others Argon2id.

| | seconds | users/s | processor seconds of the process | largest RSS, MiB |
|---|---|---|---|---|
${row('first import', first)}
${row('the same file again', again)}
| target of the first | ${targetSeconds} | | | ${targetMib} |
`;
}

await main();
