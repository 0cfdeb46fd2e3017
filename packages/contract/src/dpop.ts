/** The algorithms of a DPoP proof, as `algs` of a challenge lists them (RFC 9449 section 7.1). */
export const dpopAlgorithms = ['ES256', 'Ed25519', 'EdDSA', 'PS256', 'RS256'] as const;
