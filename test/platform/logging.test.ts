import { expect, test } from 'vitest';
import { createLogger } from '../../src/platform/logging.ts';

/** What the logger wrote, as one text. */
function logged(write: (logger: ReturnType<typeof createLogger>) => void): string {
  const lines: string[] = [];
  write(createLogger({ level: 'info', name: 'test' }, { write: (line) => void lines.push(line) }));
  return lines.join('');
}

const jwt = `eyJhbGciOiJSUzI1NiJ9.${'a'.repeat(20)}.${'b'.repeat(20)}`;

test.each([
  ['a field named so', { password: 'hunter2hunter2' }],
  ['a nested field', { body: { items: [{ refresh_token: 'hunter2hunter2' }] } }],
  ['a header', { headers: { authorization: 'hunter2hunter2', 'set-cookie': ['hunter2hunter2'] } }],
  ['an address', { note: 'mail to hunter2hunter2@example.com failed' }],
  ['credentials in a URL', { url: 'postgres://owner:hunter2hunter2@db:5432/latchkey' }],
  ['the message of an error', { err: new Error('no user hunter2hunter2@example.com') }],
  ['the cause of an error', { err: new Error('x', { cause: { secret: 'hunter2hunter2' } }) }],
  [
    'a row that Postgres quotes',
    { err: Object.assign(new Error('x'), { detail: 'hunter2hunter2' }) },
  ],
  ['bytes', { pii: Buffer.from('hunter2hunter2') }],
])('%s is not written', (_, fields) => {
  expect(logged((logger) => logger.info(fields, 'event'))).not.toContain('hunter2hunter2');
});

test('a token inside the message is not written', () => {
  expect(logged((logger) => logger.warn(`got ${jwt} and Bearer ${jwt}`))).not.toContain('eyJ');
});

test('a child logger keeps its bindings and the rules', () => {
  const text = logged((logger) => logger.child({ route: '/x', token: 'hunter2' }).info('event'));
  expect(JSON.parse(text)).toMatchObject({ route: '/x', token: '[redacted]', msg: 'event' });
});

test('counts, codes and messages stay readable', () => {
  const err = Object.assign(new Error('gone'), { code: '57P01' });
  const text = logged((logger) => logger.error({ tokens: 3, err, status: 503 }, 'failed'));
  expect(JSON.parse(text)).toMatchObject({
    level: 'error',
    tokens: 3,
    status: 503,
    msg: 'failed',
    err: { message: 'gone', code: '57P01' },
  });
});
