import { deviceTypes } from '@latchkey/contract/device-type';
import { z } from 'zod';
import { limits } from '../../domain/kernel/limits.ts';
import { signings } from '../../domain/session/session-key.ts';
import { opaqueTexts } from '../http/opaque-texts.ts';

/** A string of `min` to `max` code points: what people count, unlike UTF-16 units. */
export function text(min: number, max: number) {
  return z
    .string()
    .refine((value) => lengthWithin(value, min, max), `must have ${min} to ${max} characters`)
    .meta({ minLength: min, maxLength: max });
}

/** A secret or an address that somebody presents, and that is compared with what is ours. */
export const credential = text(0, limits.loginStringCodePointsMax).register(opaqueTexts);

/** Of a user name that somebody wants; which of these are names, the domain decides. */
export const usernameText = text(0, limits.loginStringCodePointsMax);

const time = z.iso.datetime();
const id = z.string().min(1);
const seconds = z.int().min(0);

const deviceType = z.enum(deviceTypes).meta({ description: 'The type of the device' });

export const deviceSchema = z
  .strictObject({
    type: deviceType,
    name: text(0, limits.deviceNameCodePointsMax).optional(),
  })
  .meta({ id: 'Device', description: 'The device that logs in' });

const user = z.strictObject({
  id,
  email: z.string(),
  username: z.string().optional(),
  email_verified: z.boolean(),
  roles: z.array(z.string()),
  name: z.string().optional(),
  phone_number: z.string().optional(),
  picture: z.string().optional(),
  created_at: time,
  disabled: z.boolean(),
});

const userSchema = user.meta({ id: 'User', description: 'A user' });

/** As administrators see it. */
const adminUserSchema = user
  .extend({ locked_until: time.optional() })
  .meta({ id: 'AdminUser', description: 'A user, as administrators see one' });

const sessionSchema = z
  .strictObject({
    id,
    device: z.strictObject({ type: deviceType, name: z.string() }),
    created_at: time,
    last_refreshed_at: time,
    expires_at: time,
    ip: z.string(),
    user_agent: z.string(),
    amr: z.array(z.string()),
    current: z.boolean(),
  })
  .meta({ id: 'Session', description: 'A session' });

export const tokenSetSchema = z
  .strictObject({
    token_type: z.enum(['Bearer', 'DPoP']),
    access_token: z.string(),
    expires_in: seconds,
    refresh_token: z.string().optional(),
    refresh_expires_in: seconds.optional(),
    device_token: z.string().optional(),
    session: sessionSchema,
    user: userSchema,
  })
  .meta({ id: 'TokenSet', description: 'What a login and a refresh answer' });

/** RFC 6749 section 5.1. */
export const oauthTokensSchema = z
  .strictObject({
    access_token: z.string(),
    token_type: z.enum(['Bearer', 'DPoP']),
    expires_in: seconds,
    refresh_token: z.string().optional(),
    scope: z
      .string()
      .meta({ description: 'The scopes of the access token, if it has any' })
      .optional(),
  })
  .meta({ id: 'OAuthTokens', description: 'What the token endpoint answers (RFC 6749)' });

const url = z.string();
const names = z.array(z.string());

/** RFC 8414 section 2. */
export const serverMetadataSchema = z
  .strictObject({
    issuer: url.meta({ description: '`iss` of every token' }),
    token_endpoint: url.meta({ description: 'Gives tokens' }),
    token_endpoint_auth_methods_supported: names.meta({
      description:
        'How a client authenticates there; `none`: a public client sends its `client_id`',
    }),
    jwks_uri: url.meta({ description: 'The keys that verify access tokens' }),
    introspection_endpoint: url.meta({ description: 'Says whether a token is good' }),
    introspection_endpoint_auth_methods_supported: names.meta({
      description: 'How a client authenticates there',
    }),
    revocation_endpoint: url.meta({ description: 'Ends a token and its session' }),
    revocation_endpoint_auth_methods_supported: names.meta({
      description:
        'How a client authenticates there; `none`: a public client sends its `client_id`',
    }),
    response_types_supported: names.meta({
      description: 'Empty: there is no authorization endpoint',
    }),
    grant_types_supported: names.meta({ description: 'The grants of the token endpoint' }),
    dpop_signing_alg_values_supported: names.meta({
      description: 'The algorithms of a DPoP proof (RFC 9449)',
    }),
    service_documentation: url.meta({ description: 'The page of this API' }),
  })
  .meta({ id: 'ServerMetadata', description: 'Authorization server metadata (RFC 8414)' });

const scopeRule = z.strictObject({
  type: z.enum(['include', 'exclude']),
  domain: z.string(),
  path: z.string(),
});

/** W3C DBSC, "JSON session instructions": the browser reads them, no page does. */
export const sessionInstructionsSchema = z
  .union([
    z.strictObject({ continue: z.literal(false) }),
    z.strictObject({
      session_identifier: z.string(),
      refresh_url: z.string(),
      scope: z.strictObject({
        include_site: z.boolean(),
        scope_specification: z.array(scopeRule),
      }),
      credentials: z.array(
        z.strictObject({ type: z.literal('cookie'), name: z.string(), attributes: z.string() }),
      ),
      allowed_refresh_initiators: z.array(z.string()),
    }),
  ])
  .meta({ id: 'SessionInstructions', description: 'What a browser is told of a bound session' });

/** Any text names a mailbox: one that is no address is nobody's. */
export const mailboxSchema = z.strictObject({ email: text(0, limits.loginStringCodePointsMax) });

export const otpRequestSchema = z.strictObject({
  request_id: z
    .string()
    .meta({ description: 'Names the request for a code: send it with the code to log in' }),
  expires_in: seconds,
});

export const enrolmentSchema = z.strictObject({
  secret: z.string(),
  otpauth_uri: z.string(),
  expires_at: time,
});
export const recoveryCodesSchema = z.strictObject({ recovery_codes: z.array(z.string()) });

export const registeredSchema = z.strictObject({ user: userSchema });
export const sessionListSchema = z.strictObject({ sessions: z.array(sessionSchema) });
export const meSchema = z.strictObject({ user: userSchema, session: sessionSchema });
export const endedSchema = z.strictObject({ ended: z.int().min(0) });
export const userPageSchema = z.strictObject({
  users: z.array(adminUserSchema),
  next_cursor: z.string().nullable(),
});

export const jwkSchema = z
  .looseObject({ kty: z.string(), kid: z.string(), alg: z.string(), use: z.literal('sig') })
  .refine((jwk) => !['d', 'p', 'q', 'dp', 'dq', 'qi', 'k'].some((part) => part in jwk), {
    message: 'has a private part',
  })
  .meta({ id: 'JWK', description: 'RFC 7517, public parts only' });

export const jwkSetSchema = z
  .strictObject({ keys: z.array(jwkSchema) })
  .meta({ id: 'JWKSet', description: 'RFC 7517' });

/** Flat; `src/domain/client/custom-claims.ts` says which names are reserved. */
export const clientClaimsSchema = z.record(
  z.string(),
  z.union([z.string(), z.int(), z.boolean(), z.array(z.union([z.string(), z.int(), z.boolean()]))]),
);

export const clientSchema = z
  .strictObject({
    client_id: id,
    name: z.string(),
    kind: z.enum(['confidential', 'public']),
    audiences: z.array(z.string()),
    scopes: z.array(z.string()),
    first_party: z.boolean(),
    refresh_grace_seconds: seconds.optional(),
    signing: z.enum(signings).nullable(),
    claims: clientClaimsSchema.optional(),
    secrets: z.int().min(0),
    created_at: time,
    disabled: z.boolean(),
  })
  .meta({ id: 'Client', description: 'A registered client' });

export const clientSecretSchema = z.strictObject({
  client_id: id,
  client_secret: z.string().optional(),
});
export const clientListSchema = z.strictObject({ clients: z.array(clientSchema) });

const issuerKeySchema = z
  .strictObject({
    kid: z.string(),
    alg: z.string(),
    status: z.enum(['pending', 'active', 'retiring', 'revoked']),
    generated_at: time,
    activated_at: time.nullable(),
    retired_at: time.nullable(),
    remove_after: time.nullable(),
    revoked_at: time.nullable(),
  })
  .meta({ id: 'IssuerKey', description: 'A key that signs access tokens' });
export const issuerKeyListSchema = z.strictObject({ keys: z.array(issuerKeySchema) });

export const inviteSchema = z.strictObject({ invite: z.string().optional(), expires_at: time });

export const protectedSchema = z.strictObject({
  message: z.string(),
  user_id: id,
  session_id: id,
  roles: z.array(z.string()),
});
export const dashboardSchema = z.strictObject({ message: z.string(), user_id: id });

/** The claims of an access token (RFC 9068), which an inactive answer leaves out. */
const claimSchemas = {
  iss: z.string().meta({ description: 'The issuer' }),
  sub: id.meta({ description: 'The id of the user' }),
  aud: z.array(z.string()).meta({ description: 'The audiences that the token is for' }),
  exp: seconds.meta({ description: 'When the token expires, in seconds since 1970' }),
  iat: seconds.meta({ description: 'When the token was signed, in seconds since 1970' }),
  nbf: seconds.meta({ description: 'When the token begins to be good, in seconds since 1970' }),
  jti: z.string().meta({ description: 'The session and the generation of its refresh token' }),
  client_id: id.meta({ description: 'The client of the session; `latchkey` for Latchkey’s own' }),
  client_epoch: z
    .int()
    .meta({ description: 'Latchkey raises it to refuse the earlier tokens of the client' }),
  sid: id.meta({ description: 'The id of the session' }),
  auth_time: seconds.meta({
    description: 'When the user logged in or stepped up, in seconds since 1970',
  }),
  amr: z.array(z.string()),
  acr: z.string(),
  roles: z.array(z.string()).meta({ description: 'The roles of the user, if there are any' }),
  scope: z.string().meta({ description: 'The scopes, with spaces between them, if there are any' }),
  device_type: deviceType,
  cnf: z
    .strictObject({ jkt: z.string().meta({ description: 'Its SHA-256 thumbprint (RFC 7638)' }) })
    .meta({ description: 'The key that the token is bound to, if it is (RFC 9449)' }),
  epoch: z
    .int()
    .meta({ description: 'Latchkey raises it to refuse the earlier tokens of the user' }),
};

export const introspectionSchema = z
  .looseObject({
    active: z.boolean(),
    token_type: z.enum(['Bearer', 'DPoP']).optional(),
    ...z.object(claimSchemas).partial().shape,
  })
  .meta({ id: 'Introspection', description: 'RFC 7662: `{active: false}`, or the claims' });

export const healthSchema = z
  .looseObject({
    status: z.string().meta({ description: '`ok`, `ready` or `not_ready`' }),
    failing: z.array(z.string()).optional(),
    degraded: z.array(z.string()).optional(),
  })
  .meta({ id: 'Health', description: 'What a probe answers' });

function lengthWithin(value: string, min: number, max: number): boolean {
  // A code point takes at most two UTF-16 units: the cheap bound keeps the count off long strings.
  if (value.length > max * 2) return false;
  const length = [...value].length;
  return length >= min && length <= max;
}
