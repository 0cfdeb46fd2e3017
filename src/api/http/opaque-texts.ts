import { z } from 'zod';

/**
 * Fields of a body that hold somebody's credential: it is compared with what is ours and stored
 * nowhere, so NUL and lone surrogates are wrong in it only as any other text is. A schema is
 * entered with `.register(opaqueTexts)`, after everything that makes another schema of it.
 */
export const opaqueTexts = z.registry();

const known = new WeakMap<z.ZodType, ReadonlySet<string>>();

/** The names of such fields in a body of this schema. A route has one, which is read once. */
export function opaqueFieldsOf(schema: z.ZodType): ReadonlySet<string> {
  let names = known.get(schema);
  if (names === undefined) {
    names = namesIn(schema);
    known.set(schema, names);
  }
  return names;
}

function namesIn(schema: z.ZodType): ReadonlySet<string> {
  if (schema instanceof z.ZodUnion) {
    return new Set(schema.options.flatMap((option) => [...namesIn(option as z.ZodType)]));
  }
  if (!(schema instanceof z.ZodObject)) return new Set();
  const names = Object.entries(schema.shape).flatMap(([name, field]) => {
    const inner = field instanceof z.ZodOptional ? field.unwrap() : field;
    return opaqueTexts.has(inner as z.ZodType) ? name : [];
  });
  return new Set(names);
}
