/** `EdDSA` is what RFC 8037 called `Ed25519` (RFC 9864); Latchkey takes it for one more release. */
export const signingAlgorithms = ['RS256', 'PS256', 'ES256', 'Ed25519', 'EdDSA'] as const;
export type SigningAlgorithm = (typeof signingAlgorithms)[number];
