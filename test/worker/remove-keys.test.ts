import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { issuerKeysetId } from '../../src/domain/kernel/ids.ts';
import type { KeysetCommand } from '../../src/domain/keyset/decide.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { changeKeyset } from '../../src/tables/change.ts';
import { findIssuerKeyset } from '../../src/tables/keyset.ts';
import { removeKeys } from '../../src/worker/jobs/remove-keys.ts';
import { testMeta } from '../support/session-commands.ts';
import { createJobWorld, type JobWorld, minuteMs } from './job-world.ts';

const others = ['identifier-lookup', 'record-seal', 'refresh-mac-1'];
const startedAt = Date.parse('2026-01-05T10:00:00Z');

describe('keys.remove', () => {
  let world: JobWorld;
  beforeAll(async () => {
    world = await createJobWorld();
    await change({
      type: 'EnsureKeys',
      now: startedAt,
      alg: 'EdDSA',
      unusableKids: [],
      generated: [key('one'), key('two'), key('spare')],
    });
    await change({
      type: 'RotateKeys',
      now: startedAt,
      newKey: key('three'),
      usableKids: ['two'],
      retireForSeconds: 3_600,
      jwksMaxKeys: 5,
    });
    await world.owner.query(`insert into latchkey.key_secrets (kid, purpose, wrapped) values
      ('one', 'issuer-signing', 'w'), ('two', 'issuer-signing', 'w'),
      ('three', 'issuer-signing', 'w')`);
  });
  afterAll(() => world.close());

  const { publicKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' }) as { [member: string]: string };
  const key = (kid: string) => ({ kid, alg: 'EdDSA' as const, jwk });

  async function change(command: KeysetCommand): Promise<void> {
    const keyset = await findIssuerKeyset(world.records);
    const { touch, rows } = changeKeyset(issuerKeysetId, keyset, command);
    await world.writer.append({ commandId: newId(), meta: testMeta, streams: [touch], rows });
  }
  const kids = async () => (await findIssuerKeyset(world.records)).state.keys.map(({ kid }) => kid);
  const secrets = async () =>
    (await world.owner.query('select kid from latchkey.key_secrets order by kid')).rows.map(
      ({ kid }) => kid,
    );

  it('leaves a retiring key alone while its tokens may live', async () => {
    await removeKeys.run(world.context(startedAt + 60 * minuteMs - 1));
    expect(await kids()).toStrictEqual(['one', 'two', 'spare', 'three']);
    expect(await secrets()).toStrictEqual(['one', 'two', 'three', ...others].toSorted());
  });

  it('then removes it with its private part, once, whoever is first', async () => {
    const before = (await world.eventTypes(issuerKeysetId)).length;
    const later = startedAt + 60 * minuteMs;
    await Promise.all([1, 2].map(() => removeKeys.run(world.context(later))));
    await removeKeys.run(world.context(later));
    expect((await world.eventTypes(issuerKeysetId)).slice(before)).toStrictEqual(['KeyRemoved']);
    expect(await kids()).toStrictEqual(['two', 'spare', 'three']);
    expect(await secrets()).toStrictEqual(['two', 'three', ...others].toSorted());
  });
});
