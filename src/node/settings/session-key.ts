import { sessionKeyAlgorithms, signings } from '../../domain/session/session-key.ts';
import { integer, oneOf } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';

const signing = oneOf(signings);

/** Whose key signs, by device type; a client may say otherwise for its own sessions. */
export const signingPolicies = settings('Signing by device type', {
  web: variable('SIGNING_WEB', signing)
    .default('issuer')
    .says('Who signs for sessions in browsers that start from now on: `issuer`, or each `session`'),
  mobile: variable('SIGNING_MOBILE', signing).default('issuer').says('The same for phones'),
  tablet: variable('SIGNING_TABLET', signing).default('issuer').says('The same for tablets'),
  desktop: variable('SIGNING_DESKTOP', signing).default('issuer').says('The same for desktop apps'),
  service: variable('SIGNING_SERVICE', signing).default('issuer').says('The same for services'),
  iot: variable('SIGNING_IOT', signing).default('issuer').says('The same for things'),
});

export const sessionKeys = settings('Session keys', {
  algorithm: variable('SESSION_KEY_ALGORITHM', oneOf(sessionKeyAlgorithms))
    .default('Ed25519')
    .says('Of the keys of sessions that start from now on: `Ed25519` or `ES256`'),
  readyMax: variable('SESSION_KEYS_READY', integer(0, 10_000))
    .default(64)
    .says('How many a process makes ahead, so that no login waits for one'),
  cachedMax: variable('SESSION_KEY_CACHE_ENTRIES', integer(1, 10_000_000))
    .default(20_000)
    .says('How many keys of sessions a process keeps in memory, public and private ones each'),
  cacheBytesMax: variable('SESSION_KEY_CACHE_BYTES', integer(65_536, 2 ** 40))
    .default(64 * 1024 * 1024)
    .says('How many bytes these may take, public and private ones each'),
});
