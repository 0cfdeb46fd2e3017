import { describe, expect, it } from 'vitest';
import { advisoryLocks } from '../src/platform/postgres/advisory-locks.ts';
import { filesBelow, readText } from './support/source-files.ts';

describe('the files of the repository', () => {
  it('the advisory locks of the migrations are those of the code', () => {
    const sql = filesBelow('migrations').map(readText).join('\n');
    const taken = [...sql.matchAll(/_lock(?:_shared)?\((\d+), (\d+)\)/g)];
    const { class: lockClass, append, partitions } = advisoryLocks;
    expect([...new Set(taken.map(([, ...numbers]) => numbers.join()))].sort()).toEqual([
      `${lockClass},${append}`,
      `${lockClass},${partitions}`,
    ]);
  });

  it('every migration says what it does and which locks it takes', () => {
    const files = filesBelow('migrations');
    expect(files.length).toBeGreaterThan(0);
    files.forEach((file, index) => {
      expect(file).toMatch(new RegExp(`^migrations/${String(index + 1).padStart(6, '0')}_`));
      const header = /^(--.*\n)+/.exec(readText(file))?.[0] ?? '';
      expect(header, file).toMatch(/^-- Locks: /m);
    });
  });

  it('nothing names a path of one machine or where its packages came from', () => {
    const machinePath = /(?:^|[\s"'`(=])\/(?:home|Users|root|work)\/[\w.-]/m;
    expect(`cd ${['', 'home', 'ada'].join('/')}`).toMatch(machinePath);
    const files = filesBelow(
      'src',
      'packages',
      'test',
      'bench',
      'docs',
      'docs-generator',
      'migrations',
      'README.md',
      '.ci',
    );
    expect(files.filter((file) => machinePath.test(readText(file)))).toEqual([]);
    const lock = JSON.parse(readText('package-lock.json')) as { packages: Record<string, Locked> };
    const fetched = Object.values(lock.packages).filter(({ link }) => link !== true);
    expect(fetched.filter(({ resolved: from }) => from !== undefined)).toEqual([]);
  });
});

/** An entry of the lock file: ours are links to their folders. */
interface Locked {
  readonly resolved?: string;
  readonly link?: boolean;
}
