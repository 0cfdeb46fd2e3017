import type { z } from 'zod';

/** What `z.toJSONSchema` writes, as far as an example needs it. */
export type BodySchema = z.core.JSONSchema.BaseSchema;

/**
 * A body that a person can send after a look: the fields that have an example, and each required
 * one; without any of these, the first field whose schema has an example of its own. A generated
 * body with every field would be refused, because most exclude each other.
 */
export function bodyExample(
  schema: BodySchema,
  fieldExamples: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const example: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (name in fieldExamples) example[name] = fieldExamples[name];
    else if (schema.required?.includes(name) === true) example[name] = emptyValue(field);
  }
  if (Object.keys(example).length > 0) return example;
  const [shown] = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    typeof field === 'object' && field.examples !== undefined ? [[name, field.examples[0]]] : [],
  );
  return shown === undefined ? example : Object.fromEntries([shown]);
}

function emptyValue(field: BodySchema | boolean): unknown {
  if (typeof field === 'boolean') return '';
  if (field.enum !== undefined) return field.enum[0];
  if (field.type === 'array') return [];
  if (field.type === 'object') return {};
  if (field.type === 'boolean') return false;
  return field.type === 'integer' || field.type === 'number' ? 0 : '';
}
