/** The members of a public JWK that its thumbprint covers (RFC 7638), and no other. */
export type PublicJwk = { readonly [member: string]: string };

/**
 * The public key of which the device of a session has proved that it holds the private one: with
 * a DPoP proof (RFC 9449) or as a device-bound session credential (W3C DBSC).
 */
export type DeviceKey = {
  readonly kind: 'dpop' | 'dbsc';
  /** SHA-256 thumbprint, base64url (RFC 7638). */
  readonly jkt: string;
  readonly jwk: PublicJwk;
};
