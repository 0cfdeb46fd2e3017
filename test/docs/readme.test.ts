import { describe, expect, it } from 'vitest';
import { openApiRoute } from '../../src/api/http/openapi.ts';
import { docsRoutes } from '../../src/api/pages/docs-page.ts';
import { admin } from '../../src/api/routes/admin.ts';
import { allRoutes } from '../../src/api/routes/all.ts';
import { metricsRoute } from '../../src/api/routes/metrics.ts';
import { readText } from '../support/source-files.ts';

const readme = readText('README.md');
const page = readText('docs/api.md');

/** Stands for whatever a declaration touches: no handler runs here. */
const anything: unknown = new Proxy(() => {}, { get: () => anything, apply: () => anything });

const info = { issuer: 'https://auth.example', version: '0', fieldDescriptions: {} };
const declared = [
  ...allRoutes(
    anything as Parameters<typeof allRoutes>[0],
    anything as Parameters<typeof allRoutes>[1],
  ),
  metricsRoute(anything as Parameters<typeof metricsRoute>[0], 'a token of sixteen'),
  ...docsRoutes(),
  openApiRoute(() => [], info),
];

describe('the table of endpoints in docs/api.md', () => {
  it('has one line for each declared route, and no other', () => {
    // The fast lane answers forward-auth before any route is asked.
    for (const path of ['/auth/verify', '/auth/forward']) {
      expect(page).toContain(`\n| any method \`${path}\` and below |`);
    }
    const documented = [...page.matchAll(/^\| `([A-Z]+) (\/\S*)` \|/gm)].map(
      ([, method, path]) => `${method} ${path}`,
    );
    const expected = declared
      .filter(({ path }) => !/^\/auth\/(verify|forward)/.test(path))
      .map(({ method, path }) => `${method.toUpperCase()} ${path}`);
    expect(documented.toSorted()).toEqual(expected.toSorted());
  });

  it('says of each what credential it takes', () => {
    const words = { none: '', optional: 'token', bearer: 'access token', client: 'client' };
    for (const { method, path, auth } of declared) {
      const row = page
        .split('\n')
        .find((line) => line.startsWith(`| \`${method.toUpperCase()} ${path}\``));
      if (row === undefined) continue;
      const word = auth === admin ? 'administrator' : words[auth.kind];
      expect(row.split('|')[2], `${method} ${path}`).toContain(word);
    }
  });
});

describe('README.md', () => {
  // Who reads it has a screen and a half of patience.
  it('has at most 120 lines, of which at most 15 are of tables', () => {
    const lines = readme.trimEnd().split('\n');
    expect(lines.length).toBeLessThanOrEqual(120);
    expect(lines.filter((line) => line.startsWith('|')).length).toBeLessThanOrEqual(15);
  });
});
