import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, expect, it } from 'vitest';
import { choosePort } from '../../src/platform/embedded-postgres/free-port.ts';
import { runningEmbeddedPostgres } from '../../src/platform/embedded-postgres/start.ts';
import { breaches } from '../support/acknowledged-breaches.ts';
import { Acknowledgements } from '../support/acknowledgements.ts';
import { LoadClient } from '../support/fault-load.ts';
import { callAt, registerUser } from '../support/fault-node.ts';
import { eventually } from '../worker/eventually.ts';

const rounds = 20;
const clients = 4;
const loadMs = { least: 300, most: 1_200 };
const root = path.resolve(import.meta.dirname, '../..');
const keeperScript = path.join(root, 'test/support/zombie-keeper.pl');
const dataDir = mkdtempSync(path.join(tmpdir(), 'latchkey-unreaped-'));
const keepers: ChildProcess[] = [];

afterAll(async () => {
  for (const keeper of keepers) for (const pid of descendants(keeper.pid!)) kill9(pid);
  // With its keeper a zombie goes, too.
  for (const keeper of keepers) keeper.stdin!.end();
  rmSync(dataDir, { recursive: true, force: true });
});

interface Stat {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
}

function processes(): Stat[] {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.flatMap((pid) => {
    try {
      const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
      const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ pid, parent: Number(parent), state: state! }];
    } catch {
      return [];
    }
  });
}

/** Everything below `root` that still runs. */
function descendants(root: number): number[] {
  const all = processes();
  const below = (parent: number): Stat[] =>
    all.filter((each) => each.parent === parent).flatMap((each) => [each, ...below(each.pid)]);
  return below(root)
    .filter(({ state }) => state !== 'Z')
    .map(({ pid }) => pid);
}

function zombiesOf(keeper: number): number {
  return processes().filter(({ parent, state }) => parent === keeper && state === 'Z').length;
}

function kill9(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was on its way out.
  }
}

/** `npm start` below a process that adopts whatever is left of it, and reaps nothing. */
async function start(port: number): Promise<ChildProcess> {
  const keeper = spawn('perl', [keeperScript, 'npm', 'start'], {
    cwd: root,
    env: {
      PATH: process.env.PATH,
      DATA_DIR: dataDir,
      PORT: String(port),
      METRICS_PORT: '0',
      KEY_ALGORITHM: 'ES256',
      PASSWORD_HASH_MEMORY_KIB: '8',
      LOGIN_FLOOR_MS: '20',
      RATE_LIMITS: 'off',
      REFRESH_GRACE_SECONDS: '600',
      DEVICE_POLICY_WEB: 'unlimited',
    },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  keepers.push(keeper);
  const said: string[] = [];
  for (const input of [keeper.stdout!, keeper.stderr!]) {
    createInterface({ input }).on('line', (line) => said.push(line));
  }
  await eventually(async () => {
    if (said.some((line) => line.includes('"msg":"ready"'))) return true;
    if (said.length > 1 && descendants(keeper.pid!).length === 0) throw new Error(said.join('\n'));
    return false;
  }, 60_000);
  return keeper;
}

// Fails when a zombie's pid file stays, or a server that was left behind is not stopped.
it(`B5: given ${rounds} kill -9 with zombies kept, each start is ready, nothing lost`, async () => {
  const port = await choosePort(path.join(dataDir, 'api-port'));
  const node = { call: callAt.bind(null, `http://127.0.0.1:${port}`) };
  const acknowledgements = new Acknowledgements();
  const unexpected: string[] = [];
  let keeper = await start(port);
  const people: LoadClient[] = [];
  for (let n = 0; n < clients; n += 1) {
    await registerUser(node, `client${n}@example.com`);
    people.push(new LoadClient(`client${n}@example.com`, acknowledgements, unexpected));
  }
  let zombies = 0;
  for (let round = 1; round <= rounds; round += 1) {
    const running = Promise.all(people.map((client) => client.run([node])));
    const pause = loadMs.least + Math.random() * (loadMs.most - loadMs.least);
    await new Promise((resolve) => setTimeout(resolve, pause));
    const victims = descendants(keeper.pid!).sort(() => Math.random() - 0.5);
    for (const pid of victims) kill9(pid);
    await eventually(async () => descendants(keeper.pid!).length === 0);
    for (const client of people) client.stop();
    await running;
    zombies += zombiesOf(keeper.pid!);
    keeper = await start(port);
    const { url } = runningEmbeddedPostgres(dataDir)!;
    expect(await breaches(url, acknowledgements), `after round ${round}`).toEqual([]);
  }
  const { counts } = acknowledgements;
  console.log(
    `${rounds} rounds, ${zombies} zombies kept; acknowledged: ${counts.logins} logins, ` +
      `${counts.refreshes} refreshes, ${counts.logouts} logouts; ${counts.unanswered} unanswered`,
  );
  expect(zombies).toBeGreaterThan(rounds * 2);
  expect(unexpected).toEqual([]);
  expect(Math.min(counts.logins, counts.refreshes, counts.logouts)).toBeGreaterThan(rounds);
}, 1_500_000);
