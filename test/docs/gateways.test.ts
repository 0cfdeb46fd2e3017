import { describe, expect, it } from 'vitest';
import { readText } from '../support/source-files.ts';

const identityHeaders = ['X-Auth-Subject', 'X-Auth-Session', 'X-Auth-Roles', 'X-Auth-Device-Type'];

/** Every mixture of hyphens and underscores: CGI, WSGI and others read them all alike. */
function spellingsOf(name: string): string[] {
  const [first, ...rest] = name.split('-');
  return rest.reduce(
    (starts, part) => starts.flatMap((start) => [`${start}-${part}`, `${start}_${part}`]),
    [first!],
  );
}

/** No Traefik runs here: what the page shows is all that can be wrong. */
describe('the example for Traefik in docs/gateways.md', () => {
  const section = /^## Traefik$(.*?)^## /ms.exec(readText('docs/gateways.md'))![1]!;
  const yaml = /```yaml\n(.*?)```/s.exec(section)![1]!;

  // Fails when a spelling is left out: a client says who it is by that one.
  it.each(identityHeaders)('A6: removes every spelling of %s', (name) => {
    const removed = [...yaml.matchAll(/\b(X[-_]\w[\w-]*): ""/g)].map(([, header]) => header!);
    expect(removed.filter((header) => spellingsOf(name).includes(header)).sort()).toEqual(
      spellingsOf(name).sort(),
    );
  });

  // Fails when a header that is removed is not set again, and the application believes nobody.
  it('A6: lets Latchkey set the four', () => {
    const set = /authResponseHeaders: \[([^\]]+)\]/.exec(yaml)![1]!.split(', ');
    expect(set).toEqual(identityHeaders);
  });
});
