import { deviceTypes } from '@latchkey/contract/device-type';
import { signingAlgorithms } from '@latchkey/contract/signing-algorithm';
import { type StreamKind, streamKinds } from '../src/domain/kernel/event.ts';
import { revocationReasons } from '../src/domain/session/events.ts';
import { signings } from '../src/domain/session/session-key.ts';
import { filesBelow, nodesOf, readText, type SourceFile } from '../test/support/source-files.ts';
import { code } from './markdown.ts';

interface DeclaredField {
  /** With `?` where it may be missing. */
  readonly name: string;
  /** In words, as JSON has it. */
  readonly type: string;
  readonly meaning: string;
  /** The values of a field that takes only these. */
  readonly values: readonly string[] | null;
}

export interface DeclaredEvent {
  readonly type: string;
  /** The version of the shape of its data. */
  readonly schemaV: number;
  readonly meaning: string;
  /** What stands in `pii`; null where nothing does. */
  readonly pii: string | null;
  readonly fields: readonly DeclaredField[];
}

export interface DeclaredStream {
  readonly kind: StreamKind;
  readonly path: string;
  readonly meaning: string;
  readonly events: readonly DeclaredEvent[];
}

/**
 * Every kind of stream with its events, from the types and docstrings of
 * `src/domain/<kind>/events.ts` and of the files `…-events.ts` beside it: at run time, no list of
 * them exists. Raises for an event or a field that no sentence explains, and for an event without
 * `at`.
 */
export function declaredStreams(): DeclaredStream[] {
  return (Object.keys(streamKinds) as StreamKind[]).map((kind) => {
    const path = `src/domain/${kind}/events.ts`;
    const others = filesBelow(`src/domain/${kind}`).filter((file) => file.endsWith('-events.ts'));
    const text = [path, ...others].map(readText).join('\n');
    return { kind, path, ...eventsIn({ path, text }) };
  });
}

/** What `declaredStreams` reads from one file. */
export function eventsIn(file: SourceFile): Pick<DeclaredStream, 'meaning' | 'events'> {
  const types = aliasesOf(file);
  const events = [...types.values()].flatMap((alias) => eventOf(alias, types) ?? []);
  const union = [...types].find(([name]) => name.endsWith('Event'))?.[1];
  const meaning = union?.doc.sentence ?? '';
  const gaps = [
    ...(meaning === '' ? ['the union of its events'] : []),
    ...events.flatMap(({ type, meaning, fields }) => [
      ...(meaning === '' ? [type] : []),
      ...fields.filter(({ meaning }) => meaning === '').map(({ name }) => `${type}.${name}`),
    ]),
  ].filter((name) => !name.endsWith('.at'));
  const timeless = events.filter(({ fields }) => fields.every(({ name }) => name !== 'at'));
  if (timeless.length > 0) {
    throw new Error(`${file.path}: no \`at\` in ${timeless.map(({ type }) => type).join(', ')}`);
  }
  if (gaps.length > 0) throw new Error(`${file.path}: no docstring explains ${gaps.join(', ')}`);
  return { meaning, events };
}

interface Docstring {
  readonly sentence: string;
  readonly tags: Readonly<Record<string, string>>;
}

interface Alias {
  readonly doc: Docstring;
  readonly type: TypeNode;
  readonly text: string;
}

interface TypeNode {
  readonly type: string;
  readonly typeName?: { readonly name: string };
  readonly typeArguments?: { readonly params: readonly TypeNode[] };
  readonly literal?: { readonly value: string | number };
  readonly members?: readonly Member[];
  readonly types?: readonly TypeNode[];
  readonly elementType?: TypeNode;
}

interface Member {
  readonly type: string;
  readonly start: number;
  readonly key?: { readonly name: string };
  readonly optional?: boolean;
  readonly typeAnnotation: { readonly typeAnnotation: TypeNode };
}

type Aliases = ReadonlyMap<string, Alias>;

/** The `type X = …` of a file, by name. */
function aliasesOf(file: SourceFile): Aliases {
  const starts = new Map(
    nodesOf(file)
      .filter(({ type }) => type === 'ExportNamedDeclaration')
      .map(({ declaration, start }) => [declaration, start] as const),
  );
  return new Map(
    nodesOf(file)
      .filter(({ type }) => type === 'TSTypeAliasDeclaration')
      .map((node) => {
        const start = starts.get(node) ?? node.start;
        const doc = docstringBefore(file.text, start);
        const type = node.typeAnnotation as TypeNode;
        return [(node.id as { name: string }).name, { doc, type, text: file.text }];
      }),
  );
}

function eventOf({ doc, type, text }: Alias, types: Aliases): DeclaredEvent | null {
  const [schemaV, raised] =
    type.typeName?.name === 'InSchema' ? type.typeArguments!.params : [undefined, type];
  const event = raised!;
  if (event.typeName?.name !== 'DomainEvent') return null;
  const [name, data] = event.typeArguments!.params;
  return {
    type: String(name!.literal!.value),
    schemaV: Number(schemaV?.literal?.value ?? 1),
    meaning: doc.sentence,
    pii: doc.tags.pii ?? null,
    fields: data!.members!.map((member) => fieldOf(member, text, types)),
  };
}

/** A field without a sentence of its own means what the docstring of its type says. */
function fieldOf(member: Member, text: string, types: Aliases): DeclaredField {
  const { typeAnnotation: type } = member.typeAnnotation;
  const own = docstringBefore(text, member.start).sentence;
  const ofType = types.get(type.typeName?.name ?? '')?.doc.sentence ?? '';
  const values = valuesOf(type);
  return {
    name: `${member.key!.name}${member.optional === true ? '?' : ''}`,
    type: values === null ? inWords(type, types) : oneOf(values),
    meaning: own === '' ? ofType : own,
    values,
  };
}

const namedValues: Readonly<Record<string, readonly string[]>> = {
  DeviceType: deviceTypes,
  RevocationReason: revocationReasons,
  Signing: signings,
  SigningAlgorithm: signingAlgorithms,
};

function valuesOf(type: TypeNode): readonly string[] | null {
  const members = type.type === 'TSUnionType' ? type.types! : [type];
  const literals = members.map(({ literal }) => literal?.value);
  if (literals.every((value) => typeof value === 'string')) return literals;
  return namedValues[type.typeName?.name ?? ''] ?? null;
}

/** Types that are declared beside the events. */
const namedTypes: Readonly<Record<string, string>> = {
  CustomClaims: 'map of strings, integers, booleans or lists of them',
  DeviceKey: 'map of `kind`, `jkt` and `jwk`',
};

const plainTypes: Readonly<Record<string, string>> = {
  TSNumberKeyword: 'integer',
  TSStringKeyword: 'string',
  TSBooleanKeyword: 'boolean',
  TSNullKeyword: 'null',
};

function inWords(type: TypeNode, types: Aliases): string {
  const plain = plainTypes[type.type];
  if (plain !== undefined) return plain;
  const named = namedTypes[type.typeName?.name ?? ''];
  if (named !== undefined) return named;
  if (type.type === 'TSArrayType') return `list of ${inWords(type.elementType!, types)}s`;
  if (type.type === 'TSUnionType') {
    return type.types!.map((member) => inWords(member, types)).join(' or ');
  }
  const [index] = type.members ?? [];
  if (index?.type === 'TSIndexSignature') {
    return `map of ${inWords(index.typeAnnotation.typeAnnotation, types)}s`;
  }
  if (index !== undefined) {
    return code(`{${type.members!.map(({ key }) => key!.name).join(', ')}}`);
  }
  const alias = types.get(type.typeName?.name ?? '');
  if (alias !== undefined) return inWords(alias.type, types);
  throw new Error(`${type.typeName?.name ?? type.type} is no type that the page has words for`);
}

function oneOf(values: readonly string[]): string {
  return values.map((value) => `\`${value}\``).join(', ');
}

/** The docstring that ends where the node at `start` begins. */
function docstringBefore(text: string, start: number): Docstring {
  const [, body = ''] = /\/\*\*((?:(?!\*\/)[\s\S])*)\*\/\s*$/.exec(text.slice(0, start)) ?? [];
  const plain = body.replace(/^\s*\* ?/gm, '').trim();
  const [sentence = '', ...tagged] = plain.split(/^@/m);
  const tags = tagged.map((part) => /^(\w+)\s+([\s\S]*)$/.exec(oneLine(part))!.slice(1));
  return { sentence: oneLine(sentence), tags: Object.fromEntries(tags) };
}

function oneLine(text: string): string {
  return text.trim().replace(/\s*\n\s*/g, ' ');
}
