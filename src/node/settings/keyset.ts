import { signingAlgorithms } from '@latchkey/contract/signing-algorithm';
import { integer, oneOf, seconds } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';

export const keyset = settings('Signing keys', {
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
      'Of new keys: `RS256`, `PS256`, `ES256` or `EdDSA`. After a change a restart replaces the pending keys, and one rotation makes it sign',
    ),
});
