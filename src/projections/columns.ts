/**
 * Epoch milliseconds to the text that Postgres reads as timestamptz, and back from what the driver
 * parsed.
 */
export function toTimestamp(ms: number): string {
  return new Date(ms).toISOString();
}

export function toTimestampOrNull(ms: number | null): string | null {
  return ms === null ? null : toTimestamp(ms);
}

export function fromTimestamp(value: unknown): number {
  return (value as Date).getTime();
}

export function fromTimestampOrNull(value: unknown): number | null {
  return value === null ? null : fromTimestamp(value);
}

/** bytea as the hex text that both JSON rows and Postgres understand. */
export function toHex(bytes: Uint8Array | null): string | null {
  if (bytes === null) return null;
  return `\\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')}`;
}
