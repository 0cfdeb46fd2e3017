/** A number of Postgres, of any type. Throws RangeError beyond 2^53 - 1: never a rounded value. */
export function safeInteger(value: unknown): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw new RangeError(`${value} is not a safe integer`);
  return number;
}
