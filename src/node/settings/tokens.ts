import { z } from 'zod';
import { isAudience } from '../../domain/client/decide.ts';
import { limits } from '../../domain/kernel/limits.ts';
import {
  type ProfileClaimsByAudience,
  profileClaimNames,
} from '../../domain/user/profile-claims.ts';
import { authority } from '../../platform/address.ts';
import { onOrOff, origins, seconds, url } from '../../platform/config/kinds.ts';
import { type Kind, variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { environment } from '../../platform/environment.ts';
import { http } from './http.ts';

const issuer = url(['http:', 'https:'], 'https://auth.example.com')
  .refine((given) => {
    const parsed = URL.parse(given);
    const bare = parsed?.search === '' && parsed.hash === '' && parsed.username === '';
    return parsed === null || (bare && !given.endsWith('/') && !/[?#]/.test(given));
  }, 'must have no user, query or fragment and no slash at the end (RFC 8414 section 2)')
  .max(limits.issuerCharactersMax);

const audience = z
  .string()
  .refine(
    isAudience,
    `must have at most ${limits.audienceCharactersMax} visible ASCII characters, no quote or backslash`,
  );

const profileClaimsShape = z.record(audience, z.array(z.enum(profileClaimNames)).min(1));

/** `{"https://shop.example":["email","name"]}` */
const profileClaims: Kind<ProfileClaimsByAudience> = z.codec(
  z
    .string()
    .refine(
      isProfileClaims,
      `must be JSON: for an audience a list of ${profileClaimNames.join(', ')}`,
    ),
  z.custom<ProfileClaimsByAudience>(),
  { decode: (given) => JSON.parse(given), encode: (claims) => JSON.stringify(claims) },
);

function isProfileClaims(given: string): boolean {
  try {
    return profileClaimsShape.safeParse(JSON.parse(given)).success;
  } catch {
    return false;
  }
}

export const tokens = settings(
  'Tokens',
  {
    issuer: variable('ISSUER', issuer).says(
      'The URL under which clients reach Latchkey; `iss` of every token. https in prod',
    ),
    defaultAudience: variable('DEFAULT_AUDIENCE', audience).says(
      'The audience when none is asked for; by default `ISSUER`. With another one, a login that calls `/auth` or `/admin` asks for the issuer',
    ),
    profileClaims: variable('PROFILE_CLAIMS', profileClaims)
      .default({})
      .says(
        'JSON such as `{"https://shop.example":["email","name"]}`: which of ' +
          `${profileClaimNames.map((name) => `\`${name}\``).join(', ')} stand in the tokens for an audience. ` +
          'A token for several holds what all of them may see',
      ),
  },
  {
    fill: (given, read) => {
      const { host, port } = read(http);
      const own = read(environment).name === 'dev' ? host : '127.0.0.1';
      const url = given.issuer ?? `http://${authority(own, port)}`;
      return { issuer: url, defaultAudience: given.defaultAudience ?? url };
    },
    rules: (own, { read, purpose, refuseIf }) =>
      refuseIf(
        read(environment).name === 'prod' &&
          purpose === 'serve' &&
          !own.issuer.startsWith('https:'),
        'issuer',
        'must be an https URL in prod',
      ),
  },
);

export const browser = settings(
  'Browsers',
  {
    allowedOrigins: variable('ALLOWED_ORIGINS', origins).says(
      'Origins that may use the refresh cookie and CORS; by default that of `ISSUER`',
    ),
    deviceBoundSessions: variable('DEVICE_BOUND_SESSIONS', onOrOff)
      .default(true)
      .says('Whether a login in cookie mode offers the browser to bind the session to its device'),
    boundCookieSeconds: variable('BOUND_COOKIE_SECONDS', seconds(10, 3600))
      .default(300)
      .says('How long a browser may refresh a bound session before it must prove its key again'),
  },
  {
    fill: (given, read) => ({
      allowedOrigins: given.allowedOrigins ?? [new URL(read(tokens).issuer).origin],
    }),
  },
);
