import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mailLinkRoutes } from '../../../src/api/pages/mail-link-page.ts';
import { startTestApp } from '../http/test-app.ts';

const paths = ['/auth/verify-email', '/auth/password/reset', '/auth/email/confirm'];

describe('the pages behind the links in mails', () => {
  let api: Awaited<ReturnType<typeof startTestApp>>;
  beforeAll(async () => {
    api = await startTestApp(mailLinkRoutes());
  });
  afterAll(() => api.drain(1000));

  const get = async (path: string, headers: Record<string, string> = {}) => {
    const response = await fetch(api.url + path, { headers });
    return { status: response.status, headers: response.headers, text: await response.text() };
  };

  it.each(paths)('%s is served under a policy without inline scripts', async (path) => {
    const { status, headers, text } = await get(path);
    expect(status).toBe(200);
    const policy = headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'; script-src 'self'; style-src 'self'");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('referrer-policy')).toBe('no-referrer');
    expect(text).not.toMatch(/\{\{|<script>|\son\w+=|style=/);
    const files = [...text.matchAll(/"(\/auth\/pages\/page\.[0-9a-f]{16}\.(?:css|js))"/g)];
    expect(files).toHaveLength(2);
    for (const [, file] of files) expect((await get(file!)).status).toBe(200);
  });

  it.each([
    ['de', 'de'],
    ['de-AT,de;q=0.9,en;q=0.5', 'de'],
    ['en;q=0.4, de;q=0.3', 'en'],
    ['fr, de;q=0.1', 'de'],
    ['de;q=0', 'en'],
    ['fr', 'en'],
    ['', 'en'],
  ])('Accept-Language %j: %s', async (accepted, language) => {
    const { headers, text } = await get('/auth/password/reset', { 'accept-language': accepted });
    expect(headers.get('content-language')).toBe(language);
    expect(headers.get('vary')).toContain('Accept-Language');
    expect(text).toContain(`<html lang="${language}">`);
    expect(text).toContain(language === 'de' ? 'Neues Passwort' : 'Set a new password');
  });

  it('each asks for what its request takes', async () => {
    const fields = await Promise.all(
      paths.map(async (path) => /data-field="([^"]*)"/.exec((await get(path)).text)![1]),
    );
    expect(fields).toEqual(['password', 'new_password', '']);
  });
});
