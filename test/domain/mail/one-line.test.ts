import { describe, expect, it } from 'vitest';
import { oneLine } from '../../../src/domain/mail/one-line.ts';

describe('text of somebody else in a mail', () => {
  it.each([
    ['Firefox on Linux', 'Firefox on Linux'],
    ["Ada's iPhone 15", "Ada's iPhone 15"],
    ['a\r\nBcc: x', 'a Bcc: x'],
    ['a\u2028b\u0000c\u001b[31md', 'a b c [31md'],
    ['abc\u202Edef', 'abc def'],
    ['Pay at https://evil.example/x now', 'Pay at now'],
    ['Pay at www.evil.example now', 'Pay at now'],
    ['Pay at evil.example/x now', 'Pay at now'],
    ['Write to me@evil.example', 'Write to'],
    ['javascript://evil', ''],
    ['\u200b\u2060', ''],
  ])('%j becomes %j', (given, shown) => {
    expect(oneLine(given)).toBe(shown);
  });

  it('is cut after 80 characters, and fast for any text', () => {
    expect([...oneLine('💡'.repeat(200))]).toHaveLength(80);
    const startedAt = process.cpuUsage().user;
    oneLine('a.'.repeat(40_000));
    expect(process.cpuUsage().user - startedAt).toBeLessThan(5_000_000);
  });
});
