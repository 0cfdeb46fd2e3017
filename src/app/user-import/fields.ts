/** A JSON object of which nothing is known yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** null for all other JSON. */
export function asFields(value: unknown): Fields | null {
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isObject ? (value as Fields) : null;
}

/** The object that stands here, or in the text that stands here; an empty one for anything else. */
export function fieldsIn(value: unknown): Fields {
  if (typeof value !== 'string') return asFields(value) ?? {};
  try {
    return asFields(JSON.parse(value)) ?? {};
  } catch {
    return {};
  }
}

/** The first of these that is a text with something in it. */
export function firstText(...values: readonly unknown[]): string | undefined {
  return values.find((value): value is string => typeof value === 'string' && value !== '');
}
