import { describe, expect, it, test } from 'vitest';
import { createLogger } from '../../../src/platform/logging/logging.ts';

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

describe('a line that a stranger had a hand in', () => {
  const length = 16_000;
  const repeated = (text: string) => text.repeat(Math.ceil(length / text.length));
  /** What makes a pattern look at the same characters again and again. */
  const hostile = [
    ...['a', 'eyJ', 'a-', 'a.', 'eyJa.', 'a@', 'a://', 'a://b:', 'http+', 'token', 'bearer '],
    ...['basic  ', '"token', '"a":"', '\\', '@a.', 'a@b.', 'eyJ-aaaaa.', 'a:b@', ' ', '\u00e9'],
  ];

  /** Milliseconds of this thread: what else the machine does meanwhile is not counted. */
  const took = (text: string) => {
    const started = process.threadCpuUsage();
    logged((logger) => {
      logger.child({ note: text }).info({ note: text, err: new Error(text) }, text);
    });
    const { user, system } = process.threadCpuUsage(started);
    return (user + system) / 1000;
  };

  // Fails when one pattern is quadratic: 16,000 characters held the loop for 0.8 s. The long
  // one may take four times as long as the short one, and is given ten.
  it.each(hostile)('C11: is written in time in proportion to its length: %j', (text) => {
    const [short, long] = [repeated(text).slice(0, length / 4), repeated(text)];
    const best = (sample: string) => Math.min(...Array.from({ length: 5 }, () => took(sample)));
    expect(best(long)).toBeLessThan(10 * best(short) + 5);
  });

  it('C11: is cut, and stays JSON', () => {
    const line = logged((logger) => logger.info({ note: 'a'.repeat(20_000) }, 'event'));
    expect(JSON.parse(line).note).toHaveLength(4_020);
    const huge = logged((logger) => logger.child({ note: 'a'.repeat(99_000) }).warn('event'));
    expect(huge.length).toBeLessThan(300);
    expect(JSON.parse(huge)).toMatchObject({ level: 'warn', name: 'test', msg: 'event' });
  });

  it.each([
    `x${jwt}`,
    `token=${jwt},`,
    `"${jwt}"`,
    '-postgres://latchkey:hunter2hunter2@db/latchkey',
    `${'x'.repeat(3_000)}hunter2@example.com`,
    'BEARER   hunter2hunter2',
  ])('C11: is written without its secret: %s', (text) => {
    expect(logged((logger) => logger.info(text))).not.toMatch(/hunter2|eyJ/);
  });
});
