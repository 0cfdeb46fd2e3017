import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { type Browser, chromium } from 'playwright-core';
import { openApiDocument } from '../src/api/http/openapi.ts';
import { loadDocsFiles } from '../src/api/pages/docs-files.ts';
import { allRoutes } from '../src/api/routes/all.ts';
import { documentWords } from '../src/api/routes/document-words.ts';

// `npm run bench:docs`: the libraries that could show /openapi.json, in a headless Chromium, under
// the policy of /docs. Fetches each from the package registry; prints the table.

interface Candidate {
  readonly name: string;
  readonly version: string;
  readonly script: string;
  readonly style?: string;
  readonly body: string;
  readonly start?: string;
}

const candidates: Candidate[] = [
  {
    name: 'swagger-ui-dist',
    version: '5.35.0',
    script: 'swagger-ui-bundle.js',
    style: 'swagger-ui.css',
    body: '<div id="app"></div>',
    start: "SwaggerUIBundle({ url: '/openapi.json', dom_id: '#app' })",
  },
  {
    name: '@scalar/api-reference',
    version: '1.76.0',
    script: 'dist/browser/standalone.js',
    body: '<div id="app"></div>',
    start: `Scalar.createApiReference('#app', { url: '/openapi.json', withDefaultFonts: false,
      telemetry: false, agent: { disabled: true } })`,
  },
  {
    name: 'openapi-explorer',
    version: '2.4.820',
    script: 'dist/browser/openapi-explorer.min.js',
    body: '<openapi-explorer spec-url="/openapi.json"></openapi-explorer>',
  },
  {
    name: '@stoplight/elements',
    version: '9.0.25',
    script: 'web-components.min.js',
    style: 'styles.min.css',
    body: '<elements-api apiDescriptionUrl="/openapi.json" router="hash"></elements-api>',
  },
  {
    name: 'rapidoc',
    version: '9.3.8',
    script: 'dist/rapidoc-min.js',
    body: '<rapi-doc spec-url="/openapi.json" load-fonts="false"></rapi-doc>',
  },
];

const policy = [
  "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:",
  "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
].join('; ');
/** Within this a page has drawn itself, or will not. */
const patienceMs = 60_000;

/** Stands for whatever a declaration touches: no handler runs here. */
const anything: unknown = new Proxy(() => {}, { get: () => anything, apply: () => anything });
type Given = Parameters<typeof allRoutes>;
const description = JSON.stringify(
  openApiDocument(allRoutes(anything as Given[0], anything as Given[1]), {
    issuer: 'https://auth.example',
    version: '0',
    ...documentWords,
  }),
);

function fetchPackage({ name, version }: Candidate, folder: string) {
  const run = (...args: string[]) => execFileSync('npm', args, { cwd: folder, encoding: 'utf8' });
  writeFileSync(path.join(folder, 'package.json'), '{}');
  const archive = run('pack', '--silent', `${name}@${version}`).trim();
  execFileSync('tar', ['xzf', archive], { cwd: folder });
  run('install', '--package-lock-only', '--ignore-scripts', '--silent', `${name}@${version}`);
  const lock = JSON.parse(readFileSync(path.join(folder, 'package-lock.json'), 'utf8'));
  return { packages: Object.keys(lock.packages).length - 1 };
}

async function serve(candidate: Candidate, folder: string) {
  const read = (file: string) => readFileSync(path.join(folder, 'package', file));
  const { script, style, body, start = '' } = candidate;
  const link = style === undefined ? '' : '<link rel="stylesheet" href="/style">';
  const head = `<meta charset="utf-8"><link rel="icon" href="data:,">${link}`;
  const page = `<!doctype html>${head}<body>${body}
    <script src="/script"></script><script src="/start"></script>`;
  const files: Record<string, [type: string, content: string | Buffer]> = {
    '/docs': ['text/html', page],
    '/script': ['text/javascript', read(script)],
    '/style': ['text/css', style === undefined ? '' : read(style)],
    '/start': ['text/javascript', start],
    '/openapi.json': ['application/json', description],
  };
  const sent = { bytes: 0 };
  const server = createServer(({ url }, response) => {
    const [type, content] = files[url ?? ''] ?? ['text/plain', ''];
    const small = gzipSync(content);
    sent.bytes += small.length;
    response.setHeader('content-type', type).setHeader('content-encoding', 'gzip');
    response.setHeader('content-security-policy', policy).end(small);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { server, sent, url: `http://127.0.0.1:${port}/docs` };
}

/** Processor seconds of all renderers: a busy machine stretches the clock, not these. */
async function rendererSeconds(browser: Browser): Promise<number> {
  const session = await browser.newBrowserCDPSession();
  const { processInfo } = await session.send('SystemInfo.getProcessInfo');
  await session.detach();
  return processInfo
    .filter(({ type }) => type === 'renderer')
    .reduce((sum, { cpuTime }) => sum + cpuTime, 0);
}

async function measure(executablePath: string, url: string) {
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  const page = await browser.newPage();
  const refused: Record<string, number> = {};
  await page.exposeFunction('refuse', (what: string) => {
    refused[what] = (refused[what] ?? 0) + 1;
  });
  await page.addInitScript(
    `addEventListener('securitypolicyviolation', (event) =>
      refuse(event.effectiveDirective + ' ' + event.blockedURI.slice(0, 40)), true)`,
  );
  const begun = performance.now();
  await page.goto(url);
  const shown = await page
    .getByText('Exchange a refresh token for its successor')
    .first()
    .waitFor({ state: 'attached', timeout: patienceMs })
    .then(() => `${((performance.now() - begun) / 1000).toFixed(1)} s`)
    .catch(() => 'never');
  await sleep(2_000);
  const seconds = await rendererSeconds(browser);
  await browser.close();
  const violations = Object.entries(refused).map(([what, count]) => `${count} ${what}`);
  return { shown, seconds, violations: violations.join(', ') || 'none' };
}

const executable = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync);
if (executable === undefined) throw new Error('needs Chromium: apt-get install chromium');
console.log('| Library | Packages | Transferred | Processor time | Shown after | Refused |');
console.log('|---|---|---|---|---|---|');
for (const candidate of candidates) {
  const folder = mkdtempSync(path.join(tmpdir(), 'docs-page-'));
  const { packages } = fetchPackage(candidate, folder);
  const { server, sent, url } = await serve(candidate, folder);
  const { shown, seconds, violations } = await measure(executable, url);
  server.close();
  rmSync(folder, { recursive: true });
  const cells = [
    `${candidate.name} ${candidate.version}`,
    packages,
    `${Math.round(sent.bytes / 1000)} kB`,
    `${seconds.toFixed(1)} s`,
    shown,
    violations,
  ];
  console.log(`| ${cells.join(' | ')} |`);
}

const begun = performance.now();
const { assets } = await loadDocsFiles();
const milliseconds = Math.round(performance.now() - begun);
const held = [...assets.values()].reduce(
  (sum, { plain, gzipped }) => sum + plain.body.length + gzipped.body.length,
  0,
);
console.log(
  `\n/docs: read and compressed in ${milliseconds} ms, ${(held / 1e6).toFixed(1)} MB held`,
);
