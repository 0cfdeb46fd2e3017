import type { KeysetKey } from '@latchkey/contract/keyset-key';
import type { KeysetEvent } from './events.ts';
import type { KeysetState } from './state.ts';

/** What happened to one key; each of these happens to it once at most. */
export interface KeyChange {
  readonly type: KeysetEvent['type'];
  readonly key: KeysetKey;
}

/** What must have happened between two looks at the keyset, with each key as it was last seen. */
export function keysetChanges(before: KeysetState, after: KeysetState): readonly KeyChange[] {
  const earlier = new Map(before.keys.map((key) => [key.kid, key]));
  const kids = new Set(after.keys.map(({ kid }) => kid));
  const removed = before.keys.filter(({ kid }) => !kids.has(kid));
  return [
    ...removed.map((key): KeyChange => ({ type: 'KeyRemoved', key })),
    ...after.keys.flatMap((key) => changesOf(earlier.get(key.kid), key)),
  ];
}

function changesOf(before: KeysetKey | undefined, key: KeysetKey): KeyChange[] {
  const happened: readonly (readonly [KeysetEvent['type'], boolean])[] = [
    ['KeyGenerated', before === undefined],
    ['KeyActivated', isNew(before?.activatedAt, key.activatedAt)],
    ['KeyRetired', isNew(before?.retiredAt, key.retiredAt)],
    ['KeyRevoked', isNew(before?.revokedAt, key.revokedAt)],
  ];
  return happened.flatMap(([type, has]) => (has ? [{ type, key }] : []));
}

function isNew(before: number | null | undefined, after: number | null): boolean {
  return (before ?? null) === null && after !== null;
}
