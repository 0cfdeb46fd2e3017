import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mailboxRoutes } from '../../../src/api/pages/mailbox-page.ts';
import { servedRoutes } from '../../../src/api/served-routes.ts';
import { loadConfig } from '../../../src/node/config.ts';
import type { Node } from '../../../src/node/node.ts';
import { DevelopmentMailbox } from '../../../src/platform/mail/mailbox.ts';
import { startTestApp } from '../http/test-app.ts';

const { signal } = new AbortController();
const mail = (subject: string, text = '') => ({
  ...{ to: 'ada@example.com', subject, text, html: '', messageId: '<1@x>' },
});

describe('the development mailbox', () => {
  const mailbox = new DevelopmentMailbox();
  let app: Awaited<ReturnType<typeof startTestApp>>;
  beforeAll(async () => {
    app = await startTestApp(mailboxRoutes(mailbox, 'http://auth.dev.test:4910'));
    for (let sent = 1; sent <= 60; sent += 1) await mailbox.send(mail(`Mail ${sent}`), signal);
    const link = 'https://x.test/auth/verify-email#abc_DEF-1';
    await mailbox.send(mail('<b>last</b>', `Open\n\n${link}\n<script>"&`), signal);
  });
  afterAll(() => app.drain(1000));

  it('has the last 50 mails as JSON, newest first', async () => {
    const response = await fetch(`${app.url}/dev/mailbox`, {
      headers: { accept: 'application/json' },
    });
    const { mails } = (await response.json()) as { mails: { subject: string; at: string }[] };
    expect(mails.map(({ subject }) => subject)).toEqual([
      '<b>last</b>',
      ...Array.from({ length: 49 }, (_, index) => `Mail ${60 - index}`),
    ]);
    expect(new Date(mails[0]!.at).toISOString()).toBe(mails[0]!.at);
  });

  it('shows them with their links, and nothing of them as markup', async () => {
    const response = await fetch(`${app.url}/dev/mailbox`);
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    const page = await response.text();
    const link = 'https://x.test/auth/verify-email#abc_DEF-1';
    expect(page).toContain(`<a href="${link}">${link}</a>`);
    expect(page).toContain('&lt;b&gt;last&lt;/b&gt;');
    expect(page).toContain('&lt;script&gt;&quot;&amp;');
    expect(page.match(/<article>/g)).toHaveLength(50);
  });

  const askedAs = (host: string, headers: Record<string, string> = {}) =>
    new Promise<{ status: number; body: string }>((resolve, reject) => {
      const asked = request(`${app.url}/dev/mailbox`, { headers: { ...headers, host } }, (answer) =>
        text(answer).then((body) => resolve({ status: answer.statusCode!, body }), reject),
      );
      asked.on('error', reject).end();
    });

  it.each([
    'localhost:4910',
    'LOCALHOST',
    '127.0.0.1',
    '127.8.9.10:1',
    '[::1]:4910',
    'auth.dev.test',
  ])('is shown under a name of this machine, and of the issuer: %s', async (host) =>
    expect(await askedAs(host)).toMatchObject({ status: 200 }),
  );

  // Fails when a page of anybody reads the codes of a developer by DNS rebinding.
  it.each([
    'evil.example:4910',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    'auth.dev.test.evil.example',
    '10.0.0.1:4910',
    'evil.example@localhost',
    'evil.example/@localhost',
  ])('is not shown under another host: %s', async (host) => {
    for (const accept of ['text/html', 'application/json']) {
      const { status, body } = await askedAs(host, { accept });
      expect(status).toBe(403);
      expect(body).toContain('http://auth.dev.test:4910/dev/mailbox');
      expect(body).not.toContain('Mail 60');
    }
  });
});

// Fails when somebody who reaches a node of production reads everybody's codes there.
it('the mailbox is served in dev only, and the pages of links only where mails are sent', () => {
  const anything: unknown = new Proxy(() => {}, { get: () => anything, apply: () => anything });
  const paths = (env: Record<string, string>, mailbox?: DevelopmentMailbox) => {
    const config = loadConfig(env);
    const node = new Proxy({ config } as unknown as Node, {
      get: (target, name) => Reflect.get(target, name) ?? anything,
    });
    const parts = { registry: anything, mailbox } as Parameters<typeof servedRoutes>[2];
    return servedRoutes(node, anything as Parameters<typeof servedRoutes>[1], parts)
      .map(({ path }) => path)
      .filter((path) => path === '/dev/mailbox' || path === '/auth/pages/{file}');
  };
  const prod = {
    APP_ENV: 'prod',
    ISSUER: 'https://auth.example.com',
    DATABASE_URL: 'postgres://x/y',
    KEK: 'fault:ti4O6eS1hh8kDGysf4iDb_otMbUyxqak_xZ9lYUnfLo',
  };
  const smtp = { SMTP_URL: 'smtps://x', MAIL_FROM: 'a@b.example' };
  expect(paths({}, new DevelopmentMailbox())).toEqual(['/auth/pages/{file}', '/dev/mailbox']);
  expect(paths({})).toEqual(['/auth/pages/{file}']);
  expect(paths(prod, new DevelopmentMailbox())).toEqual([]);
  expect(paths({ ...prod, ...smtp }, new DevelopmentMailbox())).toEqual(['/auth/pages/{file}']);
});
