import { code, toSection } from './markdown.ts';

/** As far as the schemas of this API use JSON Schema. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly type?: string;
  readonly format?: string;
  readonly description?: string;
  readonly enum?: readonly string[];
  readonly const?: string;
  readonly default?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxItems?: number;
}

/** The schemas that others refer to, by name. */
export type Components = Readonly<Record<string, JsonSchema>>;

/** What `schema` takes: `string, 1 to 255 characters`. */
export function inWords(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return refersTo(schema.$ref);
  if (schema.enum !== undefined) return schema.enum.map(code).join(', ');
  if (schema.anyOf !== undefined) return schema.anyOf.map(inWords).join('; or ');
  if (schema.const !== undefined) return code(schema.const);
  const kind = kindOf(schema);
  const standard = schema.default === undefined ? '' : `, ${schema.default} by default`;
  if (schema.items === undefined) return `${kind}${boundsOf(schema)}${standard}`;
  const most = schema.maxItems === undefined ? '' : ` of up to ${schema.maxItems}`;
  return `list${most} (${inWords(schema.items)})`;
}

function kindOf({ format, type = 'anything', properties }: JsonSchema): string {
  if (properties !== undefined) return `object: ${Object.keys(properties).map(code).join(', ')}`;
  return { uri: 'URL', 'date-time': 'time' }[format ?? ''] ?? type;
}

function boundsOf({ minLength = 0, maxLength, minimum, maximum }: JsonSchema): string {
  const range = (min: number, max: number) =>
    min > 0 ? `${min} to ${max.toLocaleString('en')}` : `up to ${max.toLocaleString('en')}`;
  if (maxLength !== undefined) return `, ${range(minLength, maxLength)} characters`;
  if (maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER) {
    return `, ${range(minimum ?? 0, maximum)}`;
  }
  return minLength > 0 ? ', not empty' : '';
}

interface Field {
  /** With `?` where it may be left out; `a.b` stands inside `a`. */
  readonly name: string;
  readonly schema: JsonSchema;
}

/** The fields of an object, those of an object inside it included, also of one that has a name. */
export function fieldsOf(schema: JsonSchema, components: Components): Field[] {
  return fieldsIn(resolved(schema, components), (inner) => fieldsOf(inner, components));
}

/** The fields of an object, those of an object inside it included, unless that one has a name. */
export function ownFieldsOf(schema: JsonSchema): Field[] {
  return fieldsIn(schema, ownFieldsOf);
}

/** What a field means, or what the object is that it holds. */
export function meaningOf(schema: JsonSchema, components: Components): string | undefined {
  return schema.description ?? resolved(schema, components).description;
}

function fieldsIn(
  { properties = {}, required = [], anyOf = [] }: JsonSchema,
  fieldsInside: (inner: JsonSchema) => Field[],
): Field[] {
  // What only some variants of an object have may be missing.
  const ofVariants = anyOf
    .filter((variant) => variant.properties !== undefined)
    .flatMap((variant) => fieldsIn({ ...variant, required: [] }, fieldsInside))
    .filter(({ name }, index, all) => all.findIndex((field) => field.name === name) === index);
  if (ofVariants.length > 0) return ofVariants;
  return Object.entries(properties).flatMap(([key, field]) => {
    const optional = required.includes(key) ? '' : '?';
    const inner = fieldsInside(field);
    if (inner.length === 0) return [{ name: `${key}${optional}`, schema: field }];
    return inner.map(({ name, schema }) => ({ name: `${key}${optional}.${name}`, schema }));
  });
}

/** The names of the fields of an answer; the name of the object where it has one. */
export function namesOf(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return refersTo(schema.$ref);
  const { properties = {}, required = [] } = schema;
  return Object.entries(properties)
    .map(([name, field]) => {
      const target = field.$ref ?? field.items?.$ref;
      const kind =
        target === undefined ? '' : ` (${field.items ? 'list of ' : ''}${refersTo(target)})`;
      return `${code(required.includes(name) ? name : `${name}?`)}${kind}`;
    })
    .join(', ');
}

function resolved(schema: JsonSchema, components: Components): JsonSchema {
  return schema.$ref === undefined ? schema : components[nameIn(schema.$ref)]!;
}

function refersTo(reference: string): string {
  return toSection(nameIn(reference));
}

function nameIn(reference: string): string {
  return reference.split('/').at(-1)!;
}
