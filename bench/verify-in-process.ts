import { createPublicKey, randomUUID, verify } from 'node:crypto';
import { signatureAlgorithms, withOptions } from '@latchkey/verifier/internal/signature-algorithms';
import { KeyRing } from '@latchkey/verifier/key-ring';
import { LogLeases } from '@latchkey/verifier/lease';
import { RevocationSet } from '@latchkey/verifier/revocation-set';
import { createVerifier } from '@latchkey/verifier/verify';
import { signAccessToken } from '../src/app/session/sign-access-token.ts';
import { generateSigningKey, importSigningKey } from '../src/node/signing-keys.ts';
import { newId } from '../src/platform/crypto/new-id.ts';

// What one verification costs in process, hit and miss, beside a bare crypto.verify of the same
// bytes. The variants take turns in short rounds, so a slow moment of the machine meets all of
// them; the figures are medians of rounds.

const rounds = 15;
const roundMs = 40;
const issuer = 'https://id.example.test';
const revokedSessions = 100_000;

interface Variant {
  readonly name: string;
  readonly run: (turn: number) => boolean;
}

/** Median microseconds per call of each variant. */
function measure(variants: readonly Variant[]): number[] {
  const samples = variants.map((): number[] => []);
  let turn = 0;
  for (let round = -1; round < rounds; round++) {
    for (const [index, { name, run }] of variants.entries()) {
      const begun = performance.now();
      let calls = 0;
      while (performance.now() - begun < roundMs) {
        for (let repeat = 0; repeat < 20; repeat++, calls++) {
          if (!run(turn++)) throw new Error(`${name} refused a good token`);
        }
      }
      // The first round warms up.
      if (round >= 0) samples[index]?.push(((performance.now() - begun) * 1000) / calls);
    }
  }
  return samples.map(median);
}

function median(values: number[]): number {
  return values.sort((a, b) => a - b)[values.length >> 1] ?? Number.NaN;
}

async function prepare(alg: keyof typeof signatureAlgorithms) {
  const generated = await generateSigningKey(alg);
  const key = importSigningKey(generated.kid, alg, generated.privateJwk);
  const now = Date.now();
  const mint = () =>
    signAccessToken({
      key,
      issuer,
      userId: newId(),
      userEpoch: 0,
      sessionId: newId(),
      generation: 1,
      audience: [issuer, 'orders'],
      client: null,
      amr: ['pwd'],
      roles: ['editor'],
      scope: 'orders.read',
      deviceType: 'web',
      authenticatedAt: now,
      issuedAt: now,
      expiresAt: now + 900_000,
    });
  const tokens = await Promise.all(Array.from({ length: 500 }, mint));
  const keyRing = new KeyRing();
  keyRing.replace([{ ...generated, status: 'active' }]);
  const revocations = new RevocationSet({ clockSkewSeconds: 5 });
  for (let count = 0; count < revokedSessions; count++) {
    revocations.apply({ kind: 'session', id: randomUUID(), untilMs: now + 900_000 });
  }
  const leases = new LogLeases({ leaseSeconds: 30, policy: 'refuse' });
  leases.put('log');
  leases.ofLog('log').renew({ now, monotonicNow: 0 });
  const options = { issuer, keyRing, revocations, leases, clockSkewSeconds: 5 };
  return { tokens, jwk: generated.jwk, now, options, mint };
}

async function compare(alg: keyof typeof signatureAlgorithms) {
  const { tokens, jwk, now, options, mint } = await prepare(alg);
  const at = { now, monotonicNow: 0, audience: 'orders' };
  const caching = createVerifier({ ...options, cacheBytesMax: 16 * 1024 * 1024 });
  const bare = createVerifier({ ...options, cacheBytesMax: 0 });
  for (const token of tokens) caching.verify(token, at);

  const publicKey = createPublicKey({ key: jwk, format: 'jwk' });
  const { digest, options: spelling } = signatureAlgorithms[alg];
  const beside = { key: createPublicKey({ key: jwk, format: 'jwk' }), ...spelling };
  const input = withOptions(publicKey, alg);
  const parts = tokens.map((token) => {
    const dot = token.lastIndexOf('.');
    return {
      signed: Buffer.from(token.slice(0, dot)),
      signature: Buffer.from(token.slice(dot + 1), 'base64url'),
    };
  });
  const [floor, optionsBeside, miss, hit] = measure([
    {
      name: 'crypto.verify',
      run: (turn) => {
        const part = parts[turn % parts.length]!;
        return verify(digest, part.signed, input, part.signature);
      },
    },
    {
      name: 'options beside the key',
      run: (turn) => {
        const part = parts[turn % parts.length]!;
        return verify(digest, part.signed, beside, part.signature);
      },
    },
    { name: 'miss', run: (turn) => bare.verify(tokens[turn % tokens.length]!, at).ok },
    { name: 'hit', run: (turn) => caching.verify(tokens[turn % tokens.length]!, at).ok },
  ]) as [number, number, number, number];

  const begun = performance.now();
  await Promise.all(Array.from({ length: 1_000 }, mint));
  const signsPerSecond = 1_000_000 / (performance.now() - begun);
  return {
    alg,
    'crypto.verify µs': floor.toFixed(1),
    'with options beside the key µs': optionsBeside.toFixed(1),
    'miss µs': miss.toFixed(1),
    'miss / crypto.verify': (miss / floor).toFixed(2),
    'hit µs': hit.toFixed(2),
    'crypto.verify / hit': (floor / hit).toFixed(0),
    'signs/s': signsPerSecond.toFixed(0),
  };
}

function measureRevocationSet(sessions: number) {
  const revocations = new RevocationSet({ clockSkewSeconds: 5 });
  const ids = Array.from({ length: sessions }, newId);
  const applying = performance.now();
  let longestMs = 0;
  for (const [index, id] of ids.entries()) {
    const begun = performance.now();
    revocations.apply({ kind: 'session', id, untilMs: index % 2 === 0 ? 1_000_000 : 2_000_000 });
    longestMs = Math.max(longestMs, performance.now() - begun);
  }
  const applied = performance.now();
  const megabytes = (revocations.bytes / 1e6).toFixed(0);
  let longestPruneMs = 0;
  for (let step = 0; step < 64; step++) {
    const begun = performance.now();
    revocations.prune(1_500_000, 1 / 64);
    longestPruneMs = Math.max(longestPruneMs, performance.now() - begun);
  }
  return {
    sessions,
    MB: megabytes,
    'apply µs': (((applied - applying) * 1000) / sessions).toFixed(2),
    'longest apply ms': longestMs.toFixed(1),
    'longest prune ms (1/64)': longestPruneMs.toFixed(1),
    left: revocations.size,
  };
}

console.log(`node ${process.version}, ${rounds} interleaved rounds of ${roundMs} ms each`);
const rows = [];
for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA'] as const) rows.push(await compare(alg));
console.table(rows);
console.table([measureRevocationSet(100_000), measureRevocationSet(1_000_000)]);
