import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runLatchkey } from '../support/run-latchkey.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'latchkey-proof-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** What `latchkey log adopt` prints about a file that is refused before any database is asked. */
async function refusal(file: string): Promise<string> {
  const { code, stderr } = await runLatchkey(['log', 'adopt', file], {});
  return code === 0 ? 'accepted' : stderr;
}

describe('latchkey log adopt', { timeout: 60_000 }, () => {
  it.each([
    ['text', 'no proof'],
    ['nothing', ''],
    ['another document', '{"format": 2}'],
    ['null', 'null'],
  ])('says of a file that holds %s what it should be', async (_, content) => {
    const file = path.join(directory, 'proof.json');
    writeFileSync(file, content);
    expect(await refusal(file)).toBe(`${file} is no output of \`latchkey log identity\`.\n`);
  });
});
