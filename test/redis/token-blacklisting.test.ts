import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { connectLeader } from '../../src/consumers/leader-connection.ts';
import { rebuildModel } from '../../src/consumers/redis-model/by-hand.ts';
import { checkModel } from '../../src/consumers/redis-model/check.ts';
import { RedisModelStore } from '../../src/consumers/redis-model/store.ts';
import { LogGuard } from '../../src/eventlog/log-guard.ts';
import { connectedRedisLink } from '../../src/platform/redis/link.ts';
import { startTestApi } from '../support/api.ts';
import { silentLogger } from '../support/cluster.ts';
import { until } from '../support/fault-node.ts';
import { startRedis, type TestRedis } from '../support/redis.ts';
import { readText } from '../support/source-files.ts';
import { claimsOf, type RedisWorld, startRedisWorld } from './world.ts';

let world: RedisWorld;

beforeAll(async () => {
  world = await startRedisWorld();
}, 60_000);
afterAll(() => world.stop());

interface Step {
  readonly command: string;
  readonly expected: readonly string[];
}

/** The commands of a section of the page that its reader runs, each with the lines below it. */
function stepsOf(section: string): Step[] {
  const page = readText('docs/token-blacklisting.md');
  const text = page.split(`\n## ${section}\n`)[1]!.split('\n## ')[0]!;
  const steps: { command: string; expected: string[] }[] = [];
  for (const [, block] of text.matchAll(/```sh\n(.*?)```/gs)) {
    for (const line of block!.trimEnd().split('\n')) {
      if (line.startsWith('redis-cli ')) steps.push({ command: line, expected: [] });
      else if (line.startsWith('#')) steps.at(-1)?.expected.push(line.slice(1).trim());
    }
  }
  return steps;
}

const shell = promisify(execFile);

/** What the command prints, line by line, with the variables of the page in the shell. */
async function run(command: string, variables: Record<string, string>): Promise<string[]> {
  const { port } = new URL(world.redis.url);
  const { stdout } = await shell(
    'sh',
    ['-c', command.replace('redis-cli', `redis-cli -p ${port}`)],
    {
      env: { PATH: process.env.PATH, ...variables },
    },
  );
  return stdout.trim().split('\n');
}

const variable = /\$([A-Z]+)/g;

function expectAsOnThePage(
  { command, expected }: Step,
  printed: readonly string[],
  known: Record<string, string>,
): void {
  const filled = expected.map((line) =>
    line.replace(variable, (text, name) => known[name] ?? text),
  );
  const [first = ''] = filled;
  const range = /^between (\d+) and (\d+)$/.exec(first);
  if (range !== null) {
    expect(Number(printed[0]), command).toBeGreaterThanOrEqual(Number(range[1]));
    expect(Number(printed[0]), command).toBeLessThanOrEqual(Number(range[2]));
  } else if (/\$[A-Z]+/.test(first)) {
    const pattern = first.replace(variable, '[0-9a-f-]+');
    expect(printed.join('\n'), command).toMatch(new RegExp(`^${pattern}$`));
  } else if (/ (KEYS|--scan) /.test(command)) {
    expect(printed.toSorted(), command).toEqual(filled.toSorted());
  } else {
    expect(printed.join('\n'), command).toContain(filled.join('\n'));
    if (first === '') expect(printed, command).toEqual(['']);
  }
}

it('the page can be walked through', async () => {
  const { email } = await world.api.register();
  const tokens = await world.api.logIn({ email });
  const { access_token } = (await world.api.refresh(tokens.refresh_token)).body;
  const { jti, sid } = claimsOf(access_token);
  const header = JSON.parse(Buffer.from(access_token.split('.')[0], 'base64url').toString());
  const known = { JTI: String(jti), SID: String(sid), KID: String(header.kid) };
  await world.caughtUp();

  const [before, ...after] = stepsOf('Walk through it');
  expect(after.length).toBeGreaterThan(8);
  expectAsOnThePage(before!, await run(before!.command, known), known);
  await world.api.call('POST', '/auth/logout', { token: access_token });
  await world.caughtUp();
  for (const step of after) expectAsOnThePage(step, await run(step.command, known), known);
});

it('a user with the rights that the page gives can verify, and change nothing', async () => {
  const page = readText('docs/token-blacklisting.md');
  const [, rule] = /`ACL SETUSER (verifier [^`]+)`/.exec(page)!;
  const { client } = world.redis;
  await client.call('ACL', 'SETUSER', ...rule!.replace('>…', '>secret').split(' '));
  const port = new URL(world.redis.url).port;
  const asVerifier = async (...command: string[]) => {
    const login = ['-p', port, '--user', 'verifier', '--pass', 'secret', '--no-auth-warning'];
    return (await shell('redis-cli', [...login, ...command])).stdout.trim();
  };
  const [, names] = /`(MGET [^`]+)`/.exec(page)!;
  const mget = names!.replace(/<\w+>/g, 'x').split(' ');
  expect((await asVerifier(...mget)).split('\n').at(-1)).toBe(await client.get('latchkey:epoch'));
  const checkpoint = 'latchkey:model:checkpoint';
  expect(await asVerifier('GET', checkpoint)).toBe(await client.get(checkpoint));
  expect(await asVerifier('SET', 'blacklist:x', '1')).toContain('NOPERM');
  expect(await asVerifier('DEL', 'blacklist:x')).toContain('NOPERM');
});

/** Every refusal since the last ACL LOG RESET, by what was refused. */
async function refusals({ client }: TestRedis): Promise<unknown[]> {
  const entries = (await client.call('ACL', 'LOG')) as unknown[][];
  return entries.map((fields) => fields[fields.indexOf('object') + 1]);
}

// Fails when Latchkey takes a command, a key or a channel that the page does not give.
it('with the rights that the page gives, a node and the commands do all they do', async () => {
  const [, rule] = /`ACL SETUSER (latchkey [^`]+)`/.exec(readText('docs/token-blacklisting.md'))!;
  const redis = await startRedis();
  await redis.client.call('ACL', 'SETUSER', ...rule!.replace('>…', '>secret').split(' '));
  const { port } = new URL(redis.url);
  const url = `redis://latchkey:secret@127.0.0.1:${port}/0`;
  const api = await startTestApi({ RATE_LIMITS: 'on', REDIS_URL: url });
  await until(async () => (await redis.client.pubsub('NUMSUB', 'latchkey:wake'))[1] === 1, 10_000);
  await until(async () => !(await api.call('GET', '/readyz')).body.degraded, 10_000);
  const { email } = await api.register();
  const { access_token: token } = await api.logIn({ email });
  const body = { email, password: 'the wrong passphrase' };
  expect((await api.call('POST', '/auth/login', { body })).status).toBe(401);
  expect((await api.call('POST', '/auth/logout', { token })).status).toBe(204);

  const { readers } = api.node.cells.home;
  const guard = new LogGuard();
  await guard.check(readers);
  const link = await connectedRedisLink({ url, name: 'test', log: silentLogger });
  const store = new RedisModelStore(link);
  const connect = () => connectLeader(api.database.appUrl, 'test');
  const model = { store, readers, log: guard.logName, connect };
  expect(await rebuildModel(model)).toMatchObject({ byWorker: false });
  expect(await checkModel(model)).toEqual([]);
  expect(await redis.client.exists(`blacklist:${claimsOf(token).sid}`)).toBe(1);
  const metrics = await api.node.metrics.registry.metrics();
  expect(metrics).not.toMatch(/latchkey_rate_limits_alone_total\{reason="refused"\} [1-9]/);
  expect(await refusals(redis)).toEqual([]);
  link.close();
  await api.stop();
  await redis.stop();
}, 60_000);
