import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import {
  canPin,
  cores,
  cpuOf,
  has,
  type MeasuredService,
  median,
  post,
  runPinned,
  spawnPinned,
  startService,
} from './service.ts';

// `/auth/verify` beside a bare node:http server that answers the same bytes. Both sit on one core
// and take turns under the same load. On a shared machine one second can be half as fast as the
// next, so the rounds are short, the order changes, and each round gives a ratio of its own.
// `--beside <checkout>` adds the same service from another checkout; `--runs 6` does all of it six
// times and prints the ratio of each.

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '21' },
    runs: { type: 'string', default: '1' },
    beside: { type: 'string' },
  },
});
const rounds = Number(flags.rounds);
const runs = Number(flags.runs);
const roundSeconds = 1;
const connections = 32;
const sessions = 64;
const target = 0.9;

const fail = (message: string): never => {
  throw new Error(message);
};

interface Target {
  readonly url: string;
  readonly tokensFile: string;
}

interface Round {
  readonly perSecond: number;
  readonly requests: number;
}

async function load({ url, tokensFile }: Target, seconds: number): Promise<Round> {
  process.env.TOKENS = tokensFile;
  const args = [`-t1`, `-c${connections}`, `-d${seconds}s`];
  const script = path.join(import.meta.dirname, 'tokens.lua');
  const output = await runPinned(cores.others, 'wrk', [...args, '-s', script, url]);
  if (/Non-2xx|Socket errors/.test(output)) fail(`not every request was answered 204:\n${output}`);
  const perSecond = Number(/Requests\/sec: +([\d.]+)/.exec(output)?.[1]);
  const requests = Number(/(\d+) requests in/.exec(output)?.[1]);
  return { perSecond, requests };
}

/** What one GET of `/auth/verify` is answered, byte for byte, but for the clock. */
function answerOf(url: string, token: string): Promise<string> {
  const { port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), '127.0.0.1', () => {
      const lines = [
        'GET /auth/verify HTTP/1.1',
        'Host: 127.0.0.1',
        `Authorization: Bearer ${token}`,
      ];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`);
    });
    socket.on('error', reject).once('data', (bytes) => {
      socket.destroy();
      resolve(bytes.toString('latin1').replace(/^Date: .*$/m, 'Date: -'));
    });
  });
}

async function logIn(url: string): Promise<string[]> {
  const account = { email: 'bench@example.com', password: 'violet kettle drums past midnight' };
  await post(`${url}/auth/register`, account);
  const device = { type: 'service' };
  const tokens: string[] = [];
  for (let count = 0; count < sessions; count++) {
    const tokenSet = await post(`${url}/auth/login`, { ...account, device });
    tokens.push(tokenSet.access_token as string);
  }
  return tokens;
}

/** Its headers are read off the real answer, in their order. */
interface BareServer {
  readonly url: string;
  readonly process: ChildProcess;
}

async function startBareServer(answer: string): Promise<BareServer> {
  const ofNode = /^(?:date|connection|keep-alive)$/i;
  const headers = answer
    .split('\r\n')
    .slice(1)
    .filter((line) => line !== '')
    .map((line) => line.split(': ', 2) as [string, string])
    .filter(([name]) => !ofNode.test(name))
    .map(([name, value]): [string, string] => [name, value ?? '']);
  const file = path.join(import.meta.dirname, 'bare-server.ts');
  const child = spawnPinned(
    cores.measured,
    process.execPath,
    [file, JSON.stringify(Object.fromEntries(headers))],
    { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] },
  );
  const port = await new Promise<number>((resolve, reject) => {
    child.once('message', (message) => resolve(Number(message)));
    child.once('exit', () => reject(new Error('the bare server did not start')));
  });
  return { url: `http://127.0.0.1:${port}`, process: child };
}

interface Side extends Target {
  readonly cpu: () => number;
  readonly perSecond: number[];
  requests: number;
  cpuSeconds: number;
}

async function compare(sides: readonly Side[]): Promise<void> {
  for (let round = -1; round < runs * rounds; round++) {
    for (const side of round % 2 === 0 ? sides : sides.toReversed()) {
      const before = side.cpu();
      const { perSecond, requests } = await load(side, roundSeconds);
      // The first round warms up.
      if (round < 0) continue;
      side.perSecond.push(perSecond);
      side.requests += requests;
      side.cpuSeconds += side.cpu() - before;
    }
  }
}

function newSide(target: Target, cpu: () => number): Side {
  return { ...target, cpu, perSecond: [], requests: 0, cpuSeconds: 0 };
}

/** A service with sessions of its own. */
async function startSide(scratch: string, checkout?: string) {
  // Only to log in faster: verifying hashes no password.
  const env = { PASSWORD_HASH_MEMORY_KIB: '8192' };
  const service = await startService(env, checkout === undefined ? {} : { checkout });
  const tokens = await logIn(service.url);
  const tokensFile = path.join(scratch, `tokens-${new URL(service.url).port}`);
  writeFileSync(tokensFile, tokens.join('\n'), { mode: 0o600 });
  const side = newSide({ url: service.url, tokensFile }, () => service.cpu().api);
  return { service, side, token: tokens[0]! };
}

const cpuMicroseconds = (side: Side) => (side.cpuSeconds * 1e6) / side.requests;

async function accepted(service: MeasuredService): Promise<number> {
  const text = await (await fetch(service.metricsUrl)).text();
  return Number(/^latchkey_verifications_total\{result="accepted"\} (\d+)$/m.exec(text)?.[1] ?? 0);
}

/** The share of a core that the service uses while nobody asks it anything. */
async function idleShare(service: MeasuredService): Promise<number> {
  const before = service.cpu().api;
  await sleep(roundSeconds * 1000);
  return (service.cpu().api - before) / roundSeconds;
}

/** What successful checks cost besides time. Throws when that is a statement or a log line. */
async function countSideEffects(service: MeasuredService, target: Target, linesBefore: number) {
  let requests = 0;
  const acceptedBefore = await accepted(service);
  const statements = await service.countStatements(async () => {
    requests = (await load(target, roundSeconds)).requests;
  });
  // wrk cuts what is under way when its time is over, so the service may have counted more.
  const seen = (await accepted(service)) - acceptedBefore;
  if (seen < requests) fail(`${requests} answered, ${seen} verified`);
  const logged = service.logLines() - linesBefore;
  if (logged !== 0) fail(`${logged} log lines for successful checks`);
  const { 'revocation poll': ofPoll = 0, ...others } = statements;
  const ofRequests = Object.values(others).reduce((sum, count) => sum + count, 0);
  if (ofRequests !== 0) fail(`${ofRequests} statements: ${JSON.stringify(others)}`);
  // Without the poll's own statements the count would prove nothing.
  if (ofPoll === 0) fail('the statements were not counted');
  return { requests, ofRequests, ofPoll, logged };
}

async function main(): Promise<void> {
  if (!has('wrk')) fail('needs wrk: apt-get install -y wrk');
  if (!canPin) console.log('No taskset or only one core: the processes share their cores.');
  const scratch = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-verify-'));
  const services: MeasuredService[] = [];
  let bare: BareServer | undefined;
  try {
    const { service, side: verify, token } = await startSide(scratch);
    services.push(service);
    const answer = await answerOf(service.url, token);
    bare = await startBareServer(answer);
    const bareAnswer = await answerOf(bare.url, token);
    if (answer !== bareAnswer) fail(`different answers:\n${answer}\n${bareAnswer}`);
    const { pid } = bare.process;
    const bareSide = newSide({ ...verify, url: bare.url }, () => cpuOf(pid!));
    const sides: [Side, Side, Side?] = [verify, bareSide];
    if (flags.beside !== undefined) {
      const before = await startSide(scratch, path.resolve(flags.beside));
      services.push(before.service);
      sides.push(before.side);
    }

    const linesBefore = service.logLines();
    const idleCore = await idleShare(service);
    await compare(sides.filter((side) => side !== undefined));
    const counted = await countSideEffects(service, verify, linesBefore);
    const text = report(answer, sides, { ...counted, idleCore });
    console.log(text);
    const file = flags.beside === undefined ? 'verify.md' : 'verify-beside.md';
    writeFileSync(path.join(import.meta.dirname, '../results', file), text);
    if (median(ratiosOf(verify, bareSide)) < target) process.exitCode = 1;
  } finally {
    bare?.process.kill();
    for (const service of services) await service.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

/** Of each run, the median of the ratios of its rounds. */
function ratiosOf(side: Side, bare: Side): number[] {
  const ratios = side.perSecond.map((rate, round) => rate / bare.perSecond[round]!);
  return Array.from({ length: runs }, (_, run) =>
    median(ratios.slice(run * rounds, (run + 1) * rounds)),
  );
}

function report(
  answer: string,
  [verify, bare, before]: readonly [Side, Side, Side?],
  counted: Awaited<ReturnType<typeof countSideEffects>> & { readonly idleCore: number },
): string {
  const row = (name: string, side: Side) => {
    const each = side.perSecond.map((value) => Math.round(value)).join(', ');
    const cpu = cpuMicroseconds(side).toFixed(1);
    const ratio = median(ratiosOf(side, bare)).toFixed(3);
    const cpuRatio = (cpuMicroseconds(bare) / cpuMicroseconds(side)).toFixed(3);
    const perSecond = Math.round(median(side.perSecond));
    return `| ${name} | ${perSecond} | ${cpu} | ${ratio} | ${cpuRatio} | ${each} |`;
  };
  const rows = [row('`/auth/verify`', verify)];
  if (before !== undefined) rows.push(row('the same of another checkout', before));
  rows.push(row('bare `node:http`', bare));
  const ofRuns = ratiosOf(verify, bare).map((ratio) => ratio.toFixed(3));
  return `# \`/auth/verify\` beside a bare \`node:http\` server

\`npm run bench:verify\` of ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus().length} cores
(${cpus()[0]?.model ?? 'unknown'}). ${runs} times ${rounds} rounds of ${roundSeconds} s each, in turns; wrk with ${connections} keep-alive
connections and ${sessions} sessions' tokens${canPin ? ', servers on core 0, wrk and Postgres on core 1' : ''}.

| Server | req/s (median) | CPU µs/req | beside bare | by CPU | req/s of each round |
| --- | --- | --- | --- | --- | --- |
${rows.join('\n')}

"Beside bare" is the median of each round's ratio of requests per second (target ${target}), of
several runs the median of those medians: ${ofRuns.join(', ')}. "By CPU" is the ratio of the CPU
time of a request over all rounds.
The service's CPU includes its revocation poll: idle, it uses ${(counted.idleCore * 100).toFixed(1)} % of the core.
In ${counted.requests} more requests: ${counted.ofRequests} SQL statements of requests (the revocation poll sent ${counted.ofPoll}
meanwhile). Log lines in all of it: ${counted.logged}.

Both answered, but for the clock:

\`\`\`
${answer.trim().replaceAll('\r', '')}
\`\`\`
`;
}

await main();
