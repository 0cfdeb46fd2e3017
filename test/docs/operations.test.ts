import { describe, expect, it } from 'vitest';
import { registeredBy } from '../support/registered-metrics.ts';
import { readText, sourceFiles } from '../support/source-files.ts';

const page = readText('docs/operations.md');

describe('docs/operations.md', () => {
  it('names only metrics that exist', () => {
    const all = registeredBy('eventlog', 'http', 'node', 'worker', 'redis', 'mail');
    const existing = new Set(all.map(({ name }) => name));
    const alerts = page.split('## Metrics')[1]!.split('## ')[0]!;
    const named = [...alerts.matchAll(/^\| `(latchkey_\w+)/gm)].map(([, name]) => name!);
    expect(named.length).toBeGreaterThan(4);
    expect(named.filter((name) => !existing.has(name))).toEqual([]);
  });

  it('lists every job of the worker, and no other', () => {
    const declared = sourceFiles('src/worker/jobs').flatMap(({ text }) =>
      [...text.matchAll(/name: '([\w.-]+)',\s+(?:cron|run):/g)].map(([, name]) => name),
    );
    const table = page.split('## Jobs')[1]!.split('## ')[0]!;
    const listed = [...table.matchAll(/^\| `([\w.-]+)` \| (?:each|when|\d)/gm)].map(
      ([, name]) => name,
    );
    expect(declared.length).toBeGreaterThan(5);
    expect(listed.toSorted()).toEqual(declared.toSorted());
  });
});
