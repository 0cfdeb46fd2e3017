import { z } from 'zod';

const known = new WeakMap<z.ZodType, ReadonlySet<string>>();

/** The names of the fields of a form that hold a list: such a parameter may be repeated. */
export function listFieldsOf(schema: z.ZodType): ReadonlySet<string> {
  let names = known.get(schema);
  if (names === undefined) {
    names = namesIn(schema);
    known.set(schema, names);
  }
  return names;
}

function namesIn(schema: z.ZodType): ReadonlySet<string> {
  if (!(schema instanceof z.ZodObject)) return new Set();
  const names = Object.entries(schema.shape).flatMap(([name, field]) => {
    const inner = field instanceof z.ZodOptional ? field.unwrap() : field;
    return inner instanceof z.ZodArray ? name : [];
  });
  return new Set(names);
}
