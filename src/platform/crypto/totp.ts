import { createHmac, timingSafeEqual } from 'node:crypto';

/** As long as the hash of SHA-1 (RFC 4226 section 4 R6). */
export const totpSecretBytes = 20;
const stepSeconds = 30;
const digits = 6;

/** Number of the 30 seconds since 1970 in which `now` (epoch ms) lies. */
function timeStep(now: number): number {
  return Math.floor(now / (stepSeconds * 1000));
}

/** The code of one step (RFC 6238 with SHA-1, the one algorithm that every app has). */
function totpCode(secret: Uint8Array, step: number): string {
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(step));
  const mac = createHmac('sha1', secret).update(counter).digest();
  const offset = mac[mac.length - 1]! & 0xf;
  const number = (mac.readUInt32BE(offset) & 0x7fff_ffff) % 10 ** digits;
  return number.toString().padStart(digits, '0');
}

/**
 * Those of the last, this and the next step whose code this is: a clock may be half a minute off, and
 * a person takes a while to type. So a code is good for up to 90 seconds.
 */
export function matchingSteps(secret: Uint8Array, code: string, now: number): number[] {
  const given = Buffer.from(code, 'utf8');
  const current = timeStep(now);
  return [current - 1, current, current + 1].filter((step) => {
    const expected = Buffer.from(totpCode(secret, step), 'ascii');
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** What an authenticator app reads from a QR code (Key URI format); `secret` in base32. */
export function otpauthUri(
  secret: string,
  { service, account }: { readonly service: string; readonly account: string },
): string {
  const label = `${encodeURIComponent(service)}:${encodeURIComponent(account)}`;
  const issuer = encodeURIComponent(service);
  return (
    `otpauth://totp/${label}?secret=${secret}&issuer=${issuer}` +
    `&algorithm=SHA1&digits=${digits}&period=${stepSeconds}`
  );
}
