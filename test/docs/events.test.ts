import { describe, expect, it } from 'vitest';
import type { ClientEvent } from '../../src/domain/client/events.ts';
import type { KeysetEvent } from '../../src/domain/keyset/events.ts';
import { revocationReasons, type SessionEvent } from '../../src/domain/session/events.ts';
import { initialSession } from '../../src/domain/session/state.ts';
import type { UserEvent } from '../../src/domain/user/events.ts';
import {
  revocationOfClient,
  revocationOfKeyset,
  revocationOfSession,
  revocationOfUser,
} from '../../src/tables/revocation.ts';
import { declaredEvents, eventsIn } from '../support/declared-events.ts';
import { readText } from '../support/source-files.ts';

const page = readText('docs/events.md');

interface Described {
  readonly stream: string;
  readonly type: string;
  readonly fields: readonly string[];
  readonly revokes: string;
}

describe('docs/events.md', () => {
  it('describes every event of the domain with every field, and no other', () => {
    const inCode = declaredEvents();
    expect(inCode.length).toBeGreaterThan(20);
    expect(described().map(nameAndFields).sort()).toEqual(inCode.map(nameAndFields).sort());
  });

  it('says of every event what it revokes', () => {
    for (const event of described()) {
      expect(`${event.type}: ${event.revokes}`).toBe(`${event.type}: ${revokedBy(event)}`);
    }
  });

  it('names every reason for which a session is revoked', () => {
    const row = /^\| `reason` \| (.*) \|$/m.exec(page)?.[1] ?? '';
    expect([...row.matchAll(/`(\w+)`/g)].map(([, reason]) => reason)).toEqual([
      ...revocationReasons,
    ]);
  });

  it('finds a field that is missing on either side', () => {
    const code = "export type A = DomainEvent<'A', { at: number; b?: string }>;";
    expect(eventsIn(code, 'a.ts').map(nameAndFields)).toEqual(['A(at, b?)']);
  });
});

function nameAndFields({ type, fields }: Pick<Described, 'type' | 'fields'>): string {
  return `${type}(${[...fields].sort().join(', ')})`;
}

function described(): Described[] {
  return page
    .split(/^## /m)
    .flatMap((section) =>
      section
        .split(/^### /m)
        .slice(1)
        .map((text) => ({ stream: section.split('\n', 1)[0]!.toLowerCase(), text })),
    )
    .map(({ stream, text }) => ({
      stream,
      type: text.split('\n', 1)[0]!,
      fields: [...text.matchAll(/^\| `(\w+\??)` \|/gm)].map(([, field]) => field!),
      revokes: /Revokes: ([^.]+)\./.exec(text)?.[1] ?? 'not said',
    }));
}

/** What the projection of revocations makes of an event with these fields. */
function revokedBy({ stream, type, fields }: Described): string {
  const data = Object.fromEntries(fields.map((field) => [field.replace('?', ''), 1]));
  const id = '00000000-0000-7000-8000-000000000000';
  const session = (cause: string) =>
    revocationOfSession(id, initialSession, {
      type,
      data: { ...data, cause },
    } as unknown as SessionEvent)?.targetKind ?? 'nothing';
  const event = { type, data } as unknown;
  switch (stream) {
    case 'session':
      return session('idle') === session('absolute')
        ? session('idle')
        : `${session('idle')}, if idle`;
    case 'user':
      return revocationOfUser(id, event as UserEvent)?.targetKind ?? 'nothing';
    case 'client':
      return revocationOfClient(id, event as ClientEvent).targetKind;
    case 'keyset':
      return revocationOfKeyset(id, event as KeysetEvent).targetKind;
    default:
      return 'nothing';
  }
}
