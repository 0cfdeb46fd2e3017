import { describe, expect, it } from 'vitest';
import { outputOf } from '../../../src/platform/embedded-postgres/run-program.ts';

const run = (script: string) => outputOf('sh', ['-c', script], { env: { PATH: process.env.PATH } });

describe('the output of a program', () => {
  // Fails when its end is taken for the end of its output: a start of the service read no version
  // from `postgres --version`, and took its own data for that of another release.
  it('is complete, also when it arrives after the program has ended', async () => {
    expect(await run('(sleep 0.2; echo late) & echo early')).toBe('early\nlate\n');
  });

  it('is the error of a program that fails', async () => {
    await expect(run('echo why >&2; exit 3')).rejects.toThrow('sh failed (3): why');
  });

  it('is an error for a program that is not there', async () => {
    const missing = outputOf('/no/such/program', [], { env: {} });
    await expect(missing).rejects.toThrow('ENOENT');
  });
});
