/** Every code that a client can meet, as the answer spells it. */
export const errorCodes = [
  'invalid_request',
  'payload_too_large',
  'unsupported_media_type',
  'invalid_credentials',
  'invalid_token',
  'token_stale',
  'use_dpop_nonce',
  'invalid_dpop_proof',
  'session_ended',
  'session_superseded',
  // Part of the contract for clients before anything raises it: they branch on it.
  'mfa_required',
  'insufficient_user_authentication',
  'device_proof_required',
  'invalid_device_proof',
  'origin_refused',
  'forbidden',
  'insufficient_scope',
  'not_found',
  'method_not_allowed',
  'conflict',
  'password_refused',
  'rate_limited',
  'unavailable',
  'invalid_client',
  'internal_error',
] as const;

export type ErrorCode = (typeof errorCodes)[number];
