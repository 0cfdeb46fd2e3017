import { describe, expect, it } from 'vitest';
import {
  grantToClient,
  narrowedGrant,
  type RequestedGrant,
} from '../../../src/domain/client/grant.ts';
import { limits } from '../../../src/domain/kernel/limits.ts';

const orders = 'https://orders.example';
const stock = 'https://stock.example';
const client = { audiences: [orders, stock, 'reports'], scopes: ['read', 'write'] };
const nothing: RequestedGrant = { scope: null, audiences: [], resources: [] };

const grant = (requested: Partial<RequestedGrant>, of = client) =>
  grantToClient(of, { ...nothing, ...requested });

describe('what a client is granted for itself', () => {
  it('is all its scopes and its first audience, when it asks for nothing', () => {
    expect(grant({})).toEqual({ audience: [orders], scope: 'read write' });
    expect(grant({}, { ...client, scopes: [] }).scope).toBe('');
  });

  it('is what it asks for, in its order and once', () => {
    expect(grant({ scope: 'write' }).scope).toBe('write');
    expect(grant({ scope: 'write read write' }).scope).toBe('write read');
    expect(grant({ audiences: [stock] }).audience).toEqual([stock]);
    expect(grant({ audiences: [stock], resources: [orders, stock] }).audience).toEqual([
      stock,
      orders,
    ]);
    expect(grant({ audiences: ['reports'] }).audience).toEqual(['reports']);
  });

  it.each(['admin', 'read admin', 'READ', ' read', 'read  write', 'read ', 'read\twrite'])(
    'is not the scope "%s"',
    (scope) => expect(() => grant({ scope })).toThrow('invalid_scope'),
  );

  // Fails when the way around the audiences is to call one a resource.
  it.each<[string, Partial<RequestedGrant>]>([
    ['another audience', { audiences: ['https://bank.example'] }],
    ['another resource', { resources: ['https://bank.example'] }],
    ['one of them beside a good one', { audiences: [orders], resources: ['https://bank.example'] }],
    ['a resource that is no URI', { resources: ['reports'] }],
    ['a resource with a fragment', { resources: [`${orders}#`] }],
    ['a resource with a slash more', { resources: [`${orders}/`] }],
    ['the beginning of one', { audiences: ['https://orders'] }],
  ])('is not %s', (_, requested) => {
    expect(() => grant(requested)).toThrow('invalid_target');
  });

  it('is nothing for a client without audiences', () => {
    expect(() => grant({}, { ...client, audiences: [] })).toThrow('invalid_target');
  });

  it('is no more than fits into one token', () => {
    const audiences = Array.from({ length: 10 }, (_, at) => `https://${at}`.padEnd(200, 'x'));
    const scopes = Array.from({ length: 10 }, (_, at) => `${at}`.padEnd(200, 's'));
    expect(() => grant({ audiences }, { audiences, scopes: [] })).toThrow('invalid_target');
    expect(() => grant({}, { audiences, scopes })).toThrow('invalid_scope');
    const some = grant({ scope: scopes.slice(0, 5).join(' ') }, { audiences, scopes });
    expect(some.scope.length).toBeLessThanOrEqual(limits.tokenScopeCharactersMax);
  });
});

describe('what a refresh is granted', () => {
  const session = { audience: [orders, stock], scope: 'read write' };
  const narrowed = (requested: Partial<RequestedGrant>) =>
    narrowedGrant(session, { ...nothing, ...requested });

  it('is all that the session is, or a part of it', () => {
    expect(narrowed({})).toEqual(session);
    expect(narrowed({ scope: 'read', resources: [stock] })).toEqual({
      audience: [stock],
      scope: 'read',
    });
  });

  it('is nothing that the session is not', () => {
    expect(() => narrowed({ scope: 'read admin' })).toThrow('invalid_scope');
    expect(() => narrowed({ audiences: ['reports'] })).toThrow('invalid_target');
    expect(() => narrowedGrant({ ...session, scope: '' }, { ...nothing, scope: 'read' })).toThrow(
      'invalid_scope',
    );
  });
});
