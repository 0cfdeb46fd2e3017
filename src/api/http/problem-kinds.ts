import type { ErrorCode } from '@latchkey/contract/error-code';

export interface ProblemKind {
  readonly status: number;
  readonly title: string;
  /** The code in the body, where it differs: clients branch on one code for all bad requests. */
  readonly publishedAs?: ErrorCode;
  /** The `error` of RFC 6749 section 5.2, for routes that fail as `oauth`. */
  readonly oauth: string;
  /** What `docs/errors.md` says of it. */
  readonly meaning: string;
}

/** The one mapping from codes to HTTP. */
export const problemKinds = {
  invalid_request: {
    status: 400,
    title: 'The request is not valid',
    oauth: 'invalid_request',
    meaning:
      'The request is malformed, or has an unknown field or a wrong type. `errors` names each field.',
  },
  payload_too_large: {
    status: 413,
    title: 'The request body is too large',
    publishedAs: 'invalid_request',
    oauth: 'invalid_request',
    meaning: 'The body is over 16 KiB.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The request body has a type that is not accepted here',
    publishedAs: 'invalid_request',
    oauth: 'invalid_request',
    meaning: 'The body is not JSON in UTF-8, or it is compressed.',
  },
  invalid_credentials: {
    status: 401,
    title: 'The credentials are not valid',
    oauth: 'invalid_grant',
    meaning:
      'Latchkey refuses the login. The answer is the same for an unknown address, a wrong ' +
      'password and a locked user.',
  },
  invalid_token: {
    status: 401,
    title: 'The token is not valid',
    oauth: 'invalid_grant',
    meaning:
      'You sent no access token, or one that is malformed, expired or revoked, or a refresh ' +
      'token that Latchkey did not make.',
  },
  token_stale: {
    status: 401,
    title: 'The token is out of date; refresh and try again',
    oauth: 'invalid_grant',
    meaning:
      "The user's rights or password changed, or the token lacks a right and its user was " +
      'granted a role since. Refresh, then try again.',
  },
  use_dpop_nonce: {
    status: 401,
    title: 'The DPoP proof needs the nonce of this answer',
    oauth: 'use_dpop_nonce',
    meaning:
      'The DPoP proof has no nonce, or one that is too old. Make a new proof with the nonce of the ' +
      'header `DPoP-Nonce`, and try again.',
  },
  invalid_dpop_proof: {
    status: 401,
    title: 'The DPoP proof is not valid',
    oauth: 'invalid_dpop_proof',
    meaning:
      'The session is bound to a key and the request has no good DPoP proof by it, or the proof ' +
      'is malformed, for another request, too old, or used already.',
  },
  session_ended: {
    status: 401,
    title: 'The session has ended',
    oauth: 'invalid_grant',
    meaning:
      "The refresh token's session has ended, or the token was used twice. The answer carries " +
      '`ended_at`.',
  },
  session_superseded: {
    status: 401,
    title: 'The session was ended by a newer login',
    oauth: 'invalid_grant',
    meaning:
      'A newer login on the same type of device ended the session. The answer carries ' +
      '`ended_at` and `device_name`.',
  },
  mfa_required: {
    status: 401,
    title: 'A second factor is needed',
    oauth: 'invalid_grant',
    meaning:
      'The first factor was right and a second one is needed. The answer carries `challenge`: repeat ' +
      'the login with it and the second factor instead of the first.',
  },
  insufficient_user_authentication: {
    status: 401,
    title: 'A stronger or more recent authentication is needed',
    oauth: 'insufficient_user_authentication',
    meaning:
      'The token is good, but its user must prove again to be the user: with the factors of ' +
      '`acr_values`, or within `max_age` seconds (RFC 9470). `POST /auth/step-up`, then try again ' +
      'with the token of its answer.',
  },
  device_proof_required: {
    status: 403,
    title: 'A fresh proof of the device is needed',
    oauth: 'invalid_grant',
    meaning:
      'The session is bound to a key of its browser, and the request has no fresh proof of that ' +
      'key. The session goes on. The browser proves the key by itself: try again later.',
  },
  invalid_device_proof: {
    status: 400,
    title: 'The proof of the device is not valid',
    oauth: 'invalid_grant',
    meaning:
      'The proof in `Secure-Session-Response` is missing or malformed, is signed by another key, ' +
      'or signs no challenge that Latchkey gave this session lately.',
  },
  origin_refused: {
    status: 403,
    title: 'Requests from this origin are refused',
    oauth: 'invalid_request',
    meaning:
      'A page sent the refresh cookie, or asked for it, from an origin that is not in ' +
      '`ALLOWED_ORIGINS`.',
  },
  forbidden: {
    status: 403,
    title: 'This is not allowed',
    oauth: 'unauthorized_client',
    meaning: 'Latchkey understands the request and allows it to nobody in this situation.',
  },
  insufficient_scope: {
    status: 403,
    title: 'The token does not have the right that this needs',
    oauth: 'insufficient_scope',
    meaning:
      'The access token is good, but lacks the role or scope, is of a third party, or names more ' +
      'audiences than this endpoint takes.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here',
    oauth: 'invalid_request',
    meaning: 'The path does not exist, or nothing is there that you may see.',
  },
  method_not_allowed: {
    status: 405,
    title: 'This method is not allowed here',
    oauth: 'invalid_request',
    meaning: 'The path exists with other methods, which `Allow` names.',
  },
  conflict: {
    status: 409,
    title: 'The request conflicts with the present state',
    oauth: 'invalid_request',
    meaning: 'The address is taken, or the state forbids the change.',
  },
  password_refused: {
    status: 422,
    title: 'The password does not meet the rules',
    oauth: 'invalid_request',
    meaning: 'The new password breaks a rule. The answer carries `reasons`, named below.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many requests',
    oauth: 'temporarily_unavailable',
    meaning: 'You made too many attempts. Wait for `Retry-After` seconds.',
  },
  unavailable: {
    status: 503,
    title: 'The service cannot answer at the moment',
    oauth: 'temporarily_unavailable',
    meaning:
      'The node cannot reach the database, may not verify, or has too much waiting. Try again ' +
      'after `Retry-After` seconds.',
  },
  invalid_client: {
    status: 401,
    title: 'The client authentication is not valid',
    oauth: 'invalid_client',
    meaning: 'Client authentication failed.',
  },
  unauthorized_client: {
    status: 400,
    title: 'This client may not use this grant',
    oauth: 'unauthorized_client',
    meaning: 'Only a confidential client gets a token for itself (`client_credentials`).',
  },
  unsupported_grant_type: {
    status: 400,
    title: 'This grant type is not supported',
    oauth: 'unsupported_grant_type',
    meaning:
      'The token endpoint does not know the `grant_type`. The metadata lists those it knows.',
  },
  invalid_scope: {
    status: 400,
    title: 'The scope is malformed, unknown, or more than may be granted',
    oauth: 'invalid_scope',
    meaning:
      'The client, or the session that it refreshes, may not have one of the scopes, or they do ' +
      'not fit into one token.',
  },
  invalid_target: {
    status: 400,
    title: 'The audience or resource is malformed, unknown, or may not be requested',
    oauth: 'invalid_target',
    meaning:
      'The client, or the session that it refreshes, may not have one of the audiences (RFC ' +
      '8707), a `resource` is no absolute URI, or they do not fit into one token.',
  },
  internal_error: {
    status: 500,
    title: 'Something went wrong on our side',
    oauth: 'server_error',
    meaning: 'Latchkey has a defect. The log has the rest under `request_id`.',
  },
} as const satisfies Record<ErrorCode, ProblemKind>;
