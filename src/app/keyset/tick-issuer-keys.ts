import type { DomainEvent } from '../../domain/kernel/event.ts';
import { issuerKeysetId } from '../../domain/kernel/ids.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { isRotationDue } from '../../domain/keyset/decide.ts';
import type { KeysetEvent } from '../../domain/keyset/events.ts';
import { pendingKeys } from '../../domain/keyset/published.ts';
import { type NextRotation, nextRotation } from '../../domain/keyset/schedule.ts';
import { usablePendingKids } from '../../node/private-keys.ts';
import { type GeneratedSigningKey, generateSigningKey } from '../../node/signing-keys.ts';
import { deleteRemovedSecrets, findIssuerKeyset } from '../../tables/keyset.ts';
import { append } from '../append.ts';
import type { By } from '../by.ts';
import { changeKeyset } from './change-keyset.ts';
import { type KeysetNode, keySecretRows } from './ensure-issuer-keys.ts';
import { retireForSeconds } from './retire-for-seconds.ts';

const keepRevokedForSeconds = limits.accessTokenTtlSecondsMax + limits.revocationMarginSeconds;

/** What one tick did, and what comes next. */
export interface KeysTick {
  readonly removedKids: readonly string[];
  /** null: the rotation was not due. */
  readonly rotation: {
    readonly activated: string;
    readonly retired: string;
    readonly announced: string;
  } | null;
  readonly next: NextRotation;
}

/**
 * Lets time act on the issuer keyset: removes the keys whose last token has expired, with their
 * private parts, and rotates when the schedule says so. The keyset alone decides, at an exact
 * version: of any number of callers at once one rotates. Raises `unavailable`.
 */
export async function tickIssuerKeys(node: KeysetNode, by: By): Promise<KeysTick> {
  const { config, keyWrap } = node;
  const { readers, handler } = node.cells.home;
  const { rotationSeconds, announceSeconds, keysMax: jwksMaxKeys, algorithm } = config.keyset;
  const schedule = { rotationSeconds, announceSeconds, jwksMaxKeys };
  let newKey: GeneratedSigningKey | undefined;
  const tick = await handler.run(issuerKeysetId, async () => {
    const keyset = await findIssuerKeyset(readers);
    const now = node.now();
    // Opening a key costs more than all the rest: only a rotation that is due needs to know.
    let usableKids: readonly string[] = pendingKeys(keyset.state).map(({ kid }) => kid);
    if (isRotationDue(keyset.state, { ...schedule, now, usableKids })) {
      usableKids = await usablePendingKids(readers, keyWrap, keyset.state);
      newKey ??= await generateSigningKey(algorithm);
    }
    const change = changeKeyset(issuerKeysetId, keyset, {
      type: 'TickKeys',
      now,
      usableKids,
      ...schedule,
      ...(newKey === undefined ? {} : { newKey }),
      retireForSeconds: await retireForSeconds(readers, config),
      keepRevokedForSeconds,
    });
    const generated = newKey === undefined ? [] : [newKey];
    const secrets = { rows: await keySecretRows(keyWrap, change, generated) };
    const usable = [...usableKids, ...generated.map(({ kid }) => kid)];
    return append(
      by,
      [change, secrets],
      (): KeysTick => ({
        removedKids: kidsOf(change.events, 'KeyRemoved'),
        rotation: rotationIn(change.events),
        next: nextRotation(change.state, schedule, usable),
      }),
    );
  });
  await deleteRemovedSecrets(readers, issuerKeysetId);
  return tick;
}

function rotationIn(events: readonly DomainEvent[]): KeysTick['rotation'] {
  const [activated] = kidsOf(events, 'KeyActivated');
  const [retired] = kidsOf(events, 'KeyRetired');
  const [announced] = kidsOf(events, 'KeyGenerated');
  if (activated === undefined || retired === undefined || announced === undefined) return null;
  return { activated, retired, announced };
}

function kidsOf(events: readonly DomainEvent[], type: KeysetEvent['type']): string[] {
  return events.filter((event) => event.type === type).map(({ data }) => data.kid as string);
}
