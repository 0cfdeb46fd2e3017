import { describe, expect, it } from 'vitest';
import {
  clientDecider,
  isAudience,
  type RegisterClient,
} from '../../../src/domain/client/decide.ts';
import type { ClientEvent } from '../../../src/domain/client/events.ts';
import { evolveClient, initialClient } from '../../../src/domain/client/state.ts';
import { limits } from '../../../src/domain/kernel/limits.ts';
import { specificationFor } from '../../support/decider-specification.ts';

const { given } = specificationFor(clientDecider);
const now = 1_700_000_000_000;
const said = {
  name: 'Gateway',
  kind: 'confidential',
  audiences: ['api'],
  scopes: ['read', 'revocations.read'],
  firstParty: false,
  secretHash: 'hash-1',
} as const;
const register: RegisterClient = {
  type: 'RegisterClient',
  now,
  ...said,
  refreshGraceSeconds: null,
  signing: null,
  claims: null,
};
const registered: ClientEvent = {
  type: 'ClientRegistered',
  data: { at: now, ...said, audiences: ['api'], scopes: ['read', 'revocations.read'] },
};
const publicClient = {
  ...registered,
  data: { ...registered.data, kind: 'public', secretHash: null },
} as ClientEvent;
const disabled: ClientEvent = { type: 'ClientDisabled', data: { at: now, epoch: 1 } };
const rotated = (secretHash: string): ClientEvent => ({
  type: 'ClientSecretRotated',
  data: { at: now, secretHash },
});

describe('registering a client', () => {
  it('records it', () => {
    const confidential = given().when(register);
    confidential.thenRecords(registered);
    expect(confidential.state()).toStrictEqual({
      status: 'active',
      name: 'Gateway',
      kind: 'confidential',
      audiences: ['api'],
      scopes: ['read', 'revocations.read'],
      firstParty: false,
      secretHashes: ['hash-1'],
      epoch: 0,
      registeredAt: now,
      refreshGraceSeconds: null,
      signing: null,
      claims: null,
    });
    const open = given().when({ ...register, kind: 'public', secretHash: null });
    open.thenRecords(publicClient);
    expect(open.state()).toMatchObject({ status: 'active', kind: 'public', secretHashes: [] });
  });

  it('A1: keeps whether it is ours', () => {
    const ours = { ...registered, data: { ...registered.data, firstParty: true } } as ClientEvent;
    given()
      .when({ ...register, firstParty: true })
      .thenRecords(ours);
    expect(evolveClient(initialClient, ours).firstParty).toBe(true);
  });

  it('keeps its grace window, none at all included', () => {
    const patient = { ...registered, data: { ...registered.data, refreshGraceSeconds: 0 } };
    const outcome = given().when({ ...register, refreshGraceSeconds: 0 });
    outcome.thenRecords(patient as ClientEvent);
    expect(outcome.state().refreshGraceSeconds).toBe(0);
  });

  // Fails when JSON columns, which keep no order, decide on it.
  it('keeps its claims, in the order of their names', () => {
    const claims = { tier: 'gold', beta: true };
    const outcome = given().when({ ...register, claims });
    outcome.thenRecords({ ...registered, data: { ...registered.data, claims } } as ClientEvent);
    expect(Object.keys(outcome.state().claims!)).toEqual(['beta', 'tier']);
    expect(
      given()
        .when({ ...register, claims: {} })
        .state().claims,
    ).toBeNull();
    given()
      .when({ ...register, claims: { roles: ['latchkey:admin'] } })
      .thenRefuses('invalid_request', {
        errors: [{ path: 'claims.roles', message: 'is reserved' }],
      });
  });

  it('happens once', () => {
    given(registered).when(register).thenRefuses('conflict');
  });

  it('keeps each audience and scope once', () => {
    given()
      .when({
        ...register,
        audiences: ['api', 'api'],
        scopes: ['read', 'revocations.read', 'read'],
      })
      .thenRecords(registered);
  });

  // Fails when `register` takes any `secretHash`: a confidential client could have none to prove.
  it('breaks on a confidential client without a secret, and on a public one with it', () => {
    given()
      .when({ ...register, secretHash: null })
      .thenBreaks(/has a secret/);
    given()
      .when({ ...register, kind: 'public' })
      .thenBreaks(/has a secret/);
  });

  it('names every field that is wrong', () => {
    given()
      .when({ ...register, name: '', audiences: ['a b'], scopes: ['ok', 'quo"te'] })
      .thenRefuses('invalid_request', {
        errors: [
          { path: 'name', message: 'not a name' },
          { path: 'audiences.0', message: 'visible ASCII without quote and backslash' },
          { path: 'scopes.1', message: 'visible ASCII without quote and backslash' },
        ],
      });
  });

  it('bounds names and lists', () => {
    const scopes = Array.from({ length: limits.scopesPerClientMax + 1 }, (_, i) => `s${i}`);
    const audiences = Array.from({ length: limits.audiencesPerClientMax + 1 }, (_, i) => `a${i}`);
    for (const name of ['n'.repeat(201), 'a\nb', '\ud800']) {
      given()
        .when({ ...register, name })
        .thenRefuses('invalid_request', { errors: [{ path: 'name', message: 'not a name' }] });
    }
    given()
      .when({ ...register, scopes, audiences })
      .thenRefuses('invalid_request', {
        errors: [
          { path: 'audiences', message: 'at most 50' },
          { path: 'scopes', message: 'at most 100' },
        ],
      });
    const most = {
      name: '👩'.repeat(200),
      scopes: scopes.slice(1),
      audiences: audiences.slice(1),
    };
    expect(
      given()
        .when({ ...register, ...most })
        .state(),
    ).toMatchObject(most);
  });
});

describe('the secret of a client', () => {
  // Fails when more than two secrets stay, or the old one ends with the rotation.
  it('stays good until the rotation after the next', () => {
    const outcome = given(registered).when({
      type: 'RotateClientSecret',
      now,
      secretHash: 'hash-2',
    });
    outcome.thenRecords(rotated('hash-2'));
    expect(outcome.state().secretHashes).toStrictEqual(['hash-2', 'hash-1']);
    const third = given(registered, rotated('hash-2'))
      .when({ type: 'RotateClientSecret', now, secretHash: 'hash-3' })
      .state();
    expect(third.secretHashes).toStrictEqual(['hash-3', 'hash-2']);
  });

  it('is for confidential clients that are not disabled', () => {
    const rotate = { type: 'RotateClientSecret', now, secretHash: 'hash-2' } as const;
    given(publicClient).when(rotate).thenRefuses('conflict');
    given(registered, disabled).when(rotate).thenRefuses('conflict');
    given().when(rotate).thenRefuses('not_found');
  });
});

describe('the end of the older secret', () => {
  const end = { type: 'EndOlderSecret', now } as const;
  const ended: ClientEvent = { type: 'ClientSecretEnded', data: { at: now } };

  // Fails when the newest secret ends, or both do.
  it('leaves the newest alone', () => {
    const outcome = given(registered, rotated('hash-2')).when(end);
    outcome.thenRecords(ended);
    expect(outcome.state().secretHashes).toStrictEqual(['hash-2']);
  });

  it('is nothing where there is one', () => {
    given(registered).when(end).thenRecords();
    given(registered, rotated('hash-2'), ended).when(end).thenRecords();
  });

  it('is for confidential clients that are not disabled', () => {
    given(publicClient).when(end).thenRefuses('conflict');
    given(registered, rotated('hash-2'), disabled).when(end).thenRefuses('conflict');
    given().when(end).thenRefuses('not_found');
  });
});

describe('the end of all tokens of a client', () => {
  const raise = { type: 'RaiseClientEpoch', now } as const;
  const raised = (epoch: number): ClientEvent => ({
    type: 'ClientEpochRaised',
    data: { at: now, epoch },
  });

  it('raises its epoch each time, and leaves its secrets alone', () => {
    const outcome = given(registered).when(raise);
    outcome.thenRecords(raised(1));
    expect(outcome.state()).toMatchObject({ status: 'active', epoch: 1, secretHashes: ['hash-1'] });
    given(registered, raised(1)).when(raise).thenRecords(raised(2));
    given(publicClient).when(raise).thenRecords(raised(1));
  });

  it('is for a client that is not disabled', () => {
    given(registered, disabled).when(raise).thenRefuses('conflict');
    given().when(raise).thenRefuses('not_found');
  });
});

describe('disabling a client', () => {
  // Fails when the epoch stays, or a secret survives.
  it('raises its epoch and forgets its secrets, once', () => {
    const outcome = given(registered).when({ type: 'DisableClient', now });
    outcome.thenRecords(disabled);
    expect(outcome.state()).toMatchObject({ status: 'disabled', epoch: 1, secretHashes: [] });
    given(registered, disabled).when({ type: 'DisableClient', now }).thenRecords();
  });

  it('does not find a client that never was', () => {
    given().when({ type: 'DisableClient', now }).thenRefuses('not_found');
  });
});

describe('an audience', () => {
  it('is 1 to 256 visible ASCII characters without quote and backslash', () => {
    for (const text of ['a', 'https://api.example/v1', '!#[]~', 'x'.repeat(256)]) {
      expect(isAudience(text), text).toBe(true);
    }
    for (const text of ['', 'a b', 'quo"te', 'back\\slash', 'é', 'a\n', 'x'.repeat(257)]) {
      expect(isAudience(text), text).toBe(false);
    }
  });
});
