import { signingAlgorithms } from '@latchkey/contract/signing-algorithm';
import { announceSecondsMin, retiringSeconds } from '../../domain/keyset/schedule.ts';
import { longestAccessTokenTtlSeconds } from '../../domain/session/lifetimes.ts';
import { integer, oneOf, seconds } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { lifetimes } from './session.ts';
import { verification } from './verification.ts';

const daySeconds = 86_400;

export const keyset = settings(
  'Signing keys',
  {
    rotationSeconds: variable('KEY_ROTATION_SECONDS', seconds(1, 3650 * daySeconds))
      .default(30 * daySeconds)
      .says('How long a key signs before the worker rotates'),
    announceSeconds: variable('KEY_ANNOUNCE_SECONDS', seconds(0, 3650 * daySeconds))
      .default(5 * daySeconds)
      .says('How long a key is published, at least, before the schedule lets it sign'),
    clientCacheSeconds: variable('JWKS_CLIENT_CACHE_SECONDS', seconds(0, 30 * daySeconds))
      .default(15 * 60)
      .says(
        'How long the slowest of your verifiers keeps a JWKS beyond `JWKS_MAX_AGE_SECONDS`: a new key does not sign before that',
      ),
    // One active, two pending, one retiring: with fewer, no rotation would ever be possible.
    keysMax: variable('JWKS_MAX_KEYS', integer(4, 100))
      .default(5)
      .says(
        'Published keys, at most; at least 4: one active, two pending, one retiring. A key with live tokens is never dropped',
      ),
    maxAgeSeconds: variable('JWKS_MAX_AGE_SECONDS', seconds(0, 86_400))
      .default(300)
      .says('How long clients may cache the JWKS'),
    algorithm: variable('KEY_ALGORITHM', oneOf(signingAlgorithms))
      .default('RS256')
      .says(
        'Of new keys: `RS256`, `PS256`, `ES256`, `Ed25519`, or for one more release `EdDSA`, its name before RFC 9864. After a change a restart replaces the pending keys, and one rotation makes it sign',
      ),
  },
  {
    rules: (own, { read, purpose, refuseIf, warnIf }) => {
      if (purpose === 'migrate') return;
      warnIf(
        own.algorithm === 'EdDSA',
        'algorithm',
        'says EdDSA, which RFC 9864 calls Ed25519: the next release takes only that name',
      );
      const { clockSkewSeconds } = read(verification);
      const known = announceSecondsMin({ ...own, clockSkewSeconds });
      refuseIf(
        own.announceSeconds < known,
        'announceSeconds',
        `must be at least ${known}: JWKS_MAX_AGE_SECONDS, JWKS_CLIENT_CACHE_SECONDS and CLOCK_SKEW_SECONDS together, or verifiers meet a key that they do not know`,
      );
      refuseIf(
        own.announceSeconds > 2 * own.rotationSeconds,
        'announceSeconds',
        `must be at most twice KEY_ROTATION_SECONDS (${2 * own.rotationSeconds}): a key is announced two rotations before its own`,
      );
      const { profile, accessTokenExpiryMs } = read(lifetimes);
      const longest = longestAccessTokenTtlSeconds({ profile, accessTokenExpiryMs });
      const retiring = retiringSeconds(longest, clockSkewSeconds);
      const needed = 3 + Math.ceil(retiring / own.rotationSeconds);
      refuseIf(
        own.keysMax < needed,
        'keysMax',
        `must be at least ${needed} for a rotation each ${own.rotationSeconds} s (KEY_ROTATION_SECONDS): a key is published for ${retiring} s after its last signature`,
      );
    },
  },
);
