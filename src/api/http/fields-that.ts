import { z } from 'zod';

/**
 * The names of the fields of an object's schema whose own schema `holds`. A route has one schema,
 * which is read once.
 */
export function fieldsThat(
  holds: (field: z.ZodType) => boolean,
): (schema: z.ZodType) => ReadonlySet<string> {
  const known = new WeakMap<z.ZodType, ReadonlySet<string>>();
  return (schema) => {
    let names = known.get(schema);
    if (names === undefined) {
      names = namesIn(schema, holds);
      known.set(schema, names);
    }
    return names;
  };
}

function namesIn(schema: z.ZodType, holds: (field: z.ZodType) => boolean): ReadonlySet<string> {
  if (!(schema instanceof z.ZodObject)) return new Set();
  const names = Object.entries(schema.shape).flatMap(([name, field]) => {
    const inner = field instanceof z.ZodOptional ? field.unwrap() : field;
    return holds(inner as z.ZodType) ? name : [];
  });
  return new Set(names);
}
