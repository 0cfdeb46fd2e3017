import { createSecretKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { LatchkeyError } from '../../src/domain/kernel/errors.ts';
import { DpopNonces } from '../../src/node/dpop-nonces.ts';
import { DpopProofs } from '../../src/node/dpop-proofs.ts';
import { UsedProofs } from '../../src/node/used-proofs.ts';
import { TestDevice } from '../support/dpop.ts';

const nonceKey = createSecretKey(Buffer.alloc(32, 1));
const start = Date.UTC(2030, 0, 1);

describe('the nonce of a window', () => {
  const nonces = new DpopNonces(nonceKey, 60);
  const nonce = nonces.current(start);

  it('is the same on every node, for a whole window, and nobody can tell the next one', () => {
    expect(new DpopNonces(nonceKey, 60).current(start + 59_999)).toBe(nonce);
    expect(nonces.current(start + 60_000)).not.toBe(nonce);
    const stranger = new DpopNonces(createSecretKey(Buffer.alloc(32, 2)), 60);
    expect(stranger.current(start)).not.toBe(nonce);
  });

  // Fails when a nonce is good for its own window only, or for ever.
  it('is taken to the end of the next window, and a window early', () => {
    const window = start / 60_000;
    for (const at of [start - 60_000, start - 1, start, start + 119_999]) {
      expect(nonces.windowOf(nonce, at)).toBe(window);
    }
    for (const at of [start - 60_001, start + 120_000, start + 600_000]) {
      expect(nonces.windowOf(nonce, at)).toBeNull();
    }
    expect(nonces.windowOf('', start)).toBeNull();
    expect(nonces.endOf(window)).toBeGreaterThan(start + 120_000);
  });
});

describe('the proofs that a node remembers', () => {
  it('are each taken once, whatever was taken between', () => {
    const used = new UsedProofs(100_000);
    const jtis = Array.from({ length: 20_000 }, (_, index) => `proof ${index}`);
    for (const jti of jtis) expect(used.use('key', jti, 1)).toBe('first');
    for (const jti of jtis) expect(used.use('key', jti, 1)).toBe('again');
    expect(used.use('another key', jtis[0]!, 1)).toBe('first');
    expect(used.size).toBe(20_001);
  });

  it('are forgotten with their window, and not before', () => {
    const used = new UsedProofs(100);
    for (const window of [1, 2]) used.use('key', 'a', window);
    used.forgetBefore(2);
    expect(used.size).toBe(1);
    expect(used.use('key', 'a', 2)).toBe('again');
  });

  // Fails when a full memory accepts what it cannot remember.
  it('are no more than the bound: the next is refused until the window has passed', () => {
    const used = new UsedProofs(2);
    for (const jti of ['a', 'b']) used.use('key', jti, 1);
    expect(used.use('key', 'c', 1)).toBe('full');
    expect(used.use('key', 'a', 1)).toBe('again');
    expect(used.use('key', 'c', 2)).toBe('first');
  });
});

describe('a proof that a node is shown', () => {
  const uri = 'https://id.example.test/auth/me';
  let now = start;
  const world = () => {
    now = start;
    const proofs = new DpopProofs(nonceKey, { nonceSeconds: 60 }, () => now);
    const device = new TestDevice();
    device.nonce = new DpopNonces(nonceKey, 60).current(start);
    const proof = (claims: object = {}) =>
      device.proof('GET', uri, { claims: { iat: now / 1000, ...claims } });
    const check = (text: string) => proofs.check({ proof: text, method: 'GET', uri }, null);
    return { proofs, device, proof, check };
  };
  const refusal = (work: () => unknown): LatchkeyError => {
    try {
      work();
    } catch (error) {
      return error as LatchkeyError;
    }
    throw new Error('not refused');
  };

  it('proves its key, and is used up by its use alone', () => {
    const { proofs, device, proof, check } = world();
    const text = proof();
    const key = check(text);
    expect(key).toMatchObject({ jkt: device.jkt, jwk: device.jwk, nextNonce: undefined });
    proofs.use(check(text));
    const again = refusal(() => proofs.use(check(text)));
    expect([again.code, again.detail]).toEqual(['invalid_dpop_proof', 'proof: used before']);
  });

  // Fails when the memory forgets a window whose nonce is still taken.
  it('is used up for as long as its nonce is taken', () => {
    const { proofs, proof, check } = world();
    const text = proof();
    proofs.use(check(text));
    for (now of [start + 60_000, start + 119_999]) {
      expect(refusal(() => proofs.use(check(text))).detail).toBe('proof: used before');
    }
    now = start + 120_000;
    expect(refusal(() => check(text)).code).toBe('use_dpop_nonce');
  });

  it('is asked for the present nonce when it has none, an old or a strange one', () => {
    const { proof, check } = world();
    for (const nonce of [undefined, '', 'strange']) {
      const { code, dpopNonce } = refusal(() => check(proof({ nonce })));
      expect(code).toBe('use_dpop_nonce');
      expect(check(proof({ nonce: dpopNonce })).nextNonce).toBeUndefined();
    }
  });

  it('gives the present nonce when its own will soon be too old', () => {
    const { proof, check } = world();
    const old = proof();
    now = start + 60_000;
    const { nextNonce } = check(old);
    expect(nextNonce).toBe(new DpopNonces(nonceKey, 60).current(now));
    expect(check(proof({ nonce: nextNonce })).nextNonce).toBeUndefined();
  });

  it('may be as far from the time of the node as a phone with a wrong clock', () => {
    const { proof, check } = world();
    for (const seconds of [-300, 300]) {
      expect(() => check(proof({ iat: start / 1000 + seconds }))).not.toThrow();
    }
    for (const seconds of [-301, 301]) {
      const { code } = refusal(() => check(proof({ iat: start / 1000 + seconds })));
      expect(code).toBe('invalid_dpop_proof');
    }
  });

  // Fails when the key of the access token is compared after the signature, which costs the most.
  it('is refused for another key than the expected one before its signature is checked', () => {
    const { proofs, device, proof } = world();
    const text = proof();
    const unsigned = `${text.slice(0, text.lastIndexOf('.'))}.AA`;
    const refusalOf = (shown: string, jkt: string) =>
      refusal(() => proofs.check({ proof: shown, method: 'GET', uri }, null, jkt));
    for (const shown of [text, unsigned]) {
      const { code, detail } = refusalOf(shown, new TestDevice().jkt);
      expect([code, detail]).toEqual(['invalid_dpop_proof', 'proof: key']);
    }
    expect(refusalOf(unsigned, device.jkt).detail).toBe('proof: signature');
  });

  it('is refused when there is none', () => {
    const { proofs } = world();
    const none = refusal(() => proofs.check({ proof: null, method: 'GET', uri }, null));
    expect(none.code).toBe('invalid_dpop_proof');
  });
});
