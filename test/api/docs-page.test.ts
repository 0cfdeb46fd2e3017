import { gunzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { docsRoutes } from '../../src/api/pages/docs-page.ts';
import { startTestApp } from './http/test-app.ts';

const routes = docsRoutes();
let app: Awaited<ReturnType<typeof startTestApp>>;
beforeAll(async () => {
  app = await startTestApp(routes);
});
afterAll(() => app.drain(1000));

/** What the page loads: each address in it that is not the description or an empty icon. */
async function assetPaths(): Promise<string[]> {
  const page = await (await fetch(`${app.url}/docs`)).text();
  return [...page.matchAll(/(?:src|href)="(?!\/openapi\.json|data:,)([^"]*)"/g)].map(
    ([, path]) => path!,
  );
}

describe('the docs page', () => {
  it('loads files of ours only; its policy allows nothing inline, no other origin', async () => {
    const response = await fetch(`${app.url}/docs`);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = response.headers.get('content-security-policy')!;
    expect(policy).toContain("default-src 'none'");
    expect(policy).not.toMatch(/unsafe|https?:|\*/);
    const paths = await assetPaths();
    expect(paths).toHaveLength(4);
    const named = /^\/docs\/[\w-]+\.[0-9a-f]{16}\.(?:js|css)$/;
    for (const path of paths) expect(path).toMatch(named);
    expect(await response.text()).not.toMatch(/<(?:style|script)>|style=|onload/);
  });

  it('has a row for each error code, where a problem document points', async () => {
    const page = await (await fetch(`${app.url}/docs`)).text();
    expect(page).toContain('<tr id="error-session_superseded">');
    expect(page).not.toContain('<!--errors-->');
  });

  it('names its files by their content: they never change, another name is not there', async () => {
    for (const path of await assetPaths()) {
      const whole = await fetch(app.url + path);
      expect(whole.headers.get('cache-control')).toBe('public, max-age=31536000, immutable');
      expect(whole.headers.get('content-type')).toMatch(
        /^text\/(?:css|javascript); charset=utf-8$/,
      );
      expect((await whole.arrayBuffer()).byteLength).toBeGreaterThan(100);
    }
    expect((await fetch(`${app.url}/docs/swagger-ui.css`)).status).toBe(404);
    expect((await fetch(`${app.url}/docs/..%2fpackage.json`)).status).toBe(404);
  });

  it.each([
    ['gzip', true],
    ['br, gzip;q=0.5', true],
    ['*', true],
    ['gzip;q=0', false],
    ['gzip;q=0.0', false],
    ['br', false],
    ['identity', false],
  ])('Accept-Encoding: %s gets a compressed file: %s', async (accepted, isCompressed) => {
    const script = routes.find(({ path }) => path === '/docs/{file}')!;
    const file = (await assetPaths())
      .find((path) => path.includes('bundle'))!
      .split('/')
      .at(-1)!;
    const ask = (coding: string) =>
      script.handler({ headers: { 'accept-encoding': coding }, params: { file } } as never);
    const [plain, answer] = [await ask('identity'), await ask(accepted)];
    const expected = isCompressed ? 'gzip' : undefined;
    expect(answer.headers?.['content-encoding']).toBe(expected);
    expect(answer.headers?.vary).toBe('Accept-Encoding');
    const body = answer.body as Buffer;
    expect((isCompressed ? gunzipSync(body) : body).equals(plain.body as Buffer)).toBe(true);
    expect(answer.headers?.etag === plain.headers?.etag).toBe(!isCompressed);
  });
});
