import { generateKeyPairSync, sign, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { cpus, tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { athOf, TestDevice } from '../../test/support/dpop.ts';
import {
  canPin,
  cores,
  has,
  type MeasuredService,
  median,
  runPinned,
  startService,
} from './service.ts';

// `/auth/verify` of tokens that are bound to ES256 keys, each request with a proof of its own,
// beside the same of tokens that are bound to none. Both ask one process on one core, in turns, in
// rounds of a second. The proofs are made before each round: they are good once.

const { values: flags } = parseArgs({
  options: {
    rounds: { type: 'string', default: '15' },
    // More than a round can use; each costs a signature before the round.
    proofs: { type: 'string', default: '15000' },
    sessions: { type: 'string', default: '64' },
  },
});
const rounds = Number(flags.rounds);
const roundSeconds = 1;
const connections = 32;
const sessions = Number(flags.sessions);
const proofsPerRound = Number(flags.proofs);
const target = 0.5;
const issuer = 'http://latchkey.bench';
const uri = `${issuer}/auth/verify`;

const fail = (message: string): never => {
  throw new Error(message);
};

interface Session {
  readonly token: string;
  readonly ath: string;
  readonly device: TestDevice | null;
}

interface Side {
  readonly name: string;
  readonly sessions: readonly Session[];
  readonly perSecond: number[];
  requests: number;
  cpuSeconds: number;
}

const account = { email: 'bench@example.com', password: 'violet kettle drums past midnight' };

async function send(url: string, body: object, proof?: string): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      ...(proof === undefined ? {} : { dpop: proof }),
    },
    body: JSON.stringify(body),
  });
}

/** The nonce that the service asks for now. */
async function presentNonce(url: string): Promise<string> {
  const proof = new TestDevice().proof('POST', `${issuer}/auth/login`);
  const { headers } = await send(`${url}/auth/login`, { email: 'x', password: 'x' }, proof);
  return headers.get('dpop-nonce') ?? fail('no nonce');
}

async function logIn(url: string, bound: boolean): Promise<Session> {
  const device = bound ? new TestDevice() : null;
  const claims = { nonce: await presentNonce(url) };
  const body = { ...account, device: { type: 'service' } };
  const proof = device?.proof('POST', `${issuer}/auth/login`, { claims });
  const answer = await send(`${url}/auth/login`, body, proof);
  if (!answer.ok) fail(await answer.text());
  const { access_token: token } = (await answer.json()) as { access_token: string };
  return { token, ath: athOf(token), device };
}

/** The requests of one round, in a file. */
async function prepare(url: string, side: Side, scratch: string): Promise<string> {
  const file = path.join(scratch, 'requests');
  const nonce = await presentNonce(url);
  const count = side.sessions[0]!.device === null ? sessions : proofsPerRound;
  const lines = Array.from({ length: count }, (_, index) => {
    const { token, ath, device } = side.sessions[index % sessions]!;
    return device === null
      ? token
      : `${token} ${device.proof('GET', uri, { claims: { nonce, ath } })}`;
  });
  writeFileSync(file, lines.join('\n'), { mode: 0o600 });
  return file;
}

/** Requests per second, and how many they were. */
async function load(url: string, file: string): Promise<[number, number]> {
  process.env.TOKENS = file;
  const script = path.join(import.meta.dirname, 'tokens.lua');
  const args = ['-t1', `-c${connections}`, `-d${roundSeconds}s`, '-s', script, url];
  const output = await runPinned(cores.others, 'wrk', args);
  if (/Non-2xx|Socket errors/.test(output)) fail(`not every request was answered 204:\n${output}`);
  const perSecond = Number(/Requests\/sec: +([\d.]+)/.exec(output)?.[1]);
  return [perSecond, Number(/(\d+) requests in/.exec(output)?.[1])];
}

/** Median microseconds of a bare check of one ES256 signature, on whatever core this runs. */
function bareVerifyMicroseconds(): number {
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const data = Buffer.alloc(600, 'a');
  const dsaEncoding = 'ieee-p1363';
  const signature = sign('sha256', data, { key: privateKey, dsaEncoding });
  const key = Object.assign(publicKey, { dsaEncoding } as const);
  const samples = Array.from({ length: 2000 }, () => {
    const begun = performance.now();
    if (!verify('sha256', data, key, signature)) fail('a good signature was refused');
    return (performance.now() - begun) * 1000;
  });
  return median(samples);
}

async function main(): Promise<void> {
  if (!has('wrk')) fail('needs wrk: apt-get install -y wrk');
  const scratch = mkdtempSync(path.join(tmpdir(), 'latchkey-bench-dpop-'));
  const service = await startService({ PASSWORD_HASH_MEMORY_KIB: '8192', ISSUER: issuer });
  try {
    await send(`${service.url}/auth/register`, account);
    const side = async (name: string, bound: boolean): Promise<Side> => {
      const own: Session[] = [];
      for (let count = 0; count < sessions; count++) own.push(await logIn(service.url, bound));
      return { name, sessions: own, perSecond: [], requests: 0, cpuSeconds: 0 };
    };
    const plain = await side('unbound', false);
    const bound = await side('bound, an ES256 proof each', true);
    for (let round = -1; round < rounds; round++) {
      for (const each of round % 2 === 0 ? [plain, bound] : [bound, plain]) {
        await measure(service, each, { scratch, counts: round >= 0 });
      }
    }
    const file = await prepare(service.url, bound, scratch);
    let requests = 0;
    const statements = await service.countStatements(async () => {
      [, requests] = await load(service.url, file);
    });
    const { 'revocation poll': ofPoll = 0, ...others } = statements;
    const ofRequests = Object.values(others).reduce((sum, count) => sum + count, 0);
    if (ofRequests !== 0 || ofPoll === 0) fail(`statements: ${JSON.stringify(statements)}`);
    const text = report(plain, bound, { requests, ofRequests, ofPoll });
    console.log(text);
    writeFileSync(path.join(import.meta.dirname, '../results/verify-dpop.md'), text);
    if (ratioOf(bound, plain) < target) process.exitCode = 1;
  } finally {
    await service.stop();
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function measure(
  service: MeasuredService,
  side: Side,
  { scratch, counts }: { readonly scratch: string; readonly counts: boolean },
): Promise<void> {
  const file = await prepare(service.url, side, scratch);
  const before = service.cpu().api;
  const [perSecond, requests] = await load(service.url, file);
  // The first round warms up.
  if (!counts) return;
  side.perSecond.push(perSecond);
  side.requests += requests;
  side.cpuSeconds += service.cpu().api - before;
}

const ratioOf = (side: Side, beside: Side) =>
  median(side.perSecond.map((rate, round) => rate / beside.perSecond[round]!));
const cpuMicroseconds = (side: Side) => (side.cpuSeconds * 1e6) / side.requests;

function report(
  plain: Side,
  bound: Side,
  counted: { readonly requests: number; readonly ofRequests: number; readonly ofPoll: number },
): string {
  const row = (side: Side) => {
    const each = side.perSecond.map((value) => Math.round(value)).join(', ');
    const cpu = cpuMicroseconds(side).toFixed(1);
    const byCpu = (cpuMicroseconds(plain) / cpuMicroseconds(side)).toFixed(3);
    const ratio = ratioOf(side, plain).toFixed(3);
    const rate = Math.round(median(side.perSecond));
    return `| ${side.name} | ${rate} | ${cpu} | ${ratio} | ${byCpu} | ${each} |`;
  };
  const rows = [plain, bound].map((side) => row(side)).join('\n');
  const bare = bareVerifyMicroseconds().toFixed(1);
  const date = new Date().toISOString().slice(0, 10);
  const machine = `${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'})`;
  const pinned = canPin ? ', the service on core 0, wrk and Postgres on core 1' : '';
  return `# \`/auth/verify\` of bound tokens, beside unbound ones

\`npm run bench:verify-dpop\` of ${date}, Node ${process.version}, ${machine}.
${rounds} rounds of ${roundSeconds} s each, in turns; wrk with ${connections} keep-alive connections
and ${sessions} sessions${pinned}.

| Token | req/s (median) | CPU µs/req | beside unbound | by CPU | req/s of each round |
| --- | --- | --- | --- | --- | --- |
${rows}

"Beside unbound" is the median of each round's ratio of requests per second (target ${target}).
One bare check of an ES256 signature took ${bare} µs right after (median).
In ${counted.requests} more requests with proofs: ${counted.ofRequests} SQL statements of requests
(the revocation poll sent ${counted.ofPoll} meanwhile).
`;
}

await main();
