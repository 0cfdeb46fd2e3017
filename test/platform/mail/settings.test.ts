import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/node/config.ts';

describe('mail', () => {
  const smtp = { SMTP_URL: 'smtps://u:p@mail.example.com', MAIL_FROM: 'L <l@example.com>' };

  test('is on in dev, and in prod with a server', () => {
    expect(loadConfig({}).mail).toMatchObject({ enabled: true, language: 'en' });
    expect(loadConfig(smtp).mail).toMatchObject({ enabled: true, smtpUrl: smtp.SMTP_URL });
  });

  test('needs a sender, and a server that is one', () => {
    expect(() => loadConfig({ SMTP_URL: smtp.SMTP_URL })).toThrow('MAIL_FROM must be set');
    expect(() => loadConfig({ ...smtp, SMTP_URL: 'http://mail.example.com' })).toThrow('SMTP_URL');
    expect(() => loadConfig({ ...smtp, SMTP_URL: 'smtp://a?x=1' })).toThrow('no parameter but');
  });

  test.each(['a@b, c@d', 'L <a@b>, c@d', 'x\r\nBcc: <a@b>', '"L" <a@b>', 'L'])(
    'the sender %j is none',
    (from) => {
      expect(() => loadConfig({ ...smtp, MAIL_FROM: from })).toThrow('MAIL_FROM');
    },
  );
});

describe('in prod', () => {
  const prod = {
    APP_ENV: 'prod',
    ISSUER: 'https://auth.example.com',
    DATABASE_URL: 'postgres://latchkey_app@db.example.com/latchkey',
    KEK: 'fault:ti4O6eS1hh8kDGysf4iDb_otMbUyxqak_xZ9lYUnfLo',
  };
  const smtp = { SMTP_URL: 'smtp://mail.example.com', MAIL_FROM: 'l@example.com' };

  test('nothing is mailed without a server, and then nobody registers without an invite', () => {
    expect(loadConfig(prod).mail.enabled).toBe(false);
    expect(() => loadConfig({ ...prod, REGISTRATION: 'open' })).toThrow('without SMTP_URL');
    expect(loadConfig({ ...prod, ...smtp, REGISTRATION: 'open' }).registration.mode).toBe('open');
  });

  test('a server beyond loopback without TLS is a warning', () => {
    expect(loadConfig({ ...prod, ...smtp }).warnings).toEqual([]);
    const plain = { ...smtp, SMTP_URL: 'smtp://mail.example.com?requireTLS=false' };
    expect(loadConfig({ ...prod, ...plain }).warnings).toEqual([
      expect.stringContaining('SMTP_URL may be used without TLS'),
    ]);
  });
});
