import { readFileSync } from 'node:fs';
import { type ErrorCode, errorCodes } from '@latchkey/contract/error-code';
import { describe, expect, it } from 'vitest';
import { problemKinds, published } from '../../../src/api/http/problem.ts';

const page = readFileSync(new URL('../../../docs/errors.md', import.meta.url), 'utf8');
const documented = [...page.matchAll(/^\| `(\w+)` \| ([\d, ]+) \| `(\w+)` \|/gm)].map(
  ([, code, statuses, oauth]) => ({ code, statuses: statuses!.trim(), oauth }),
);

describe('the error table of docs/errors.md', () => {
  it('holds each published code once, with its statuses and OAuth error, and nothing else', () => {
    const statuses = new Map<ErrorCode, number[]>();
    for (const code of errorCodes) {
      const { code: name, status } = published(code);
      statuses.set(name, [...(statuses.get(name) ?? []), status]);
    }
    const expected = [...statuses].map(([code, list]) => ({
      code,
      statuses: list.join(', '),
      oauth: problemKinds[code].oauth,
    }));
    expect(documented.toSorted(byCode)).toEqual(expected.toSorted(byCode));
  });

  it('is about codes that say nothing of why a login was refused', () => {
    expect(errorCodes.filter((code) => /unknown_user|locked|wrong_password/.test(code))).toEqual(
      [],
    );
  });
});

function byCode(a: { code?: string | undefined }, b: { code?: string | undefined }): number {
  return (a.code ?? '').localeCompare(b.code ?? '');
}
