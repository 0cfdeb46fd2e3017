/** What is used of a Babel path. */
interface NodePath {
  readonly node: Node;
  readonly key: string | number;
  readonly listKey?: string;
  readonly parent: Node | null;
}

interface Node {
  readonly type: string;
  readonly callee?: Node & { readonly property?: Node };
  readonly name?: string;
  readonly properties?: readonly { readonly key?: Node }[];
  readonly [field: string]: unknown;
}

const read = new Set(['detail', 'message', 'title']);
/** A longer one is no list of codes but of data, such as the common passwords. */
const shortListMax = 8;
const levels = new Set(['debug', 'info', 'warn', 'error', 'fatal']);

/**
 * Plugin of Stryker. The text of an error or of a log line is for people: no program decides by it,
 * and a test that repeats it only says it twice. Codes, facts and fields are mutated.
 */
export const strykerPlugins = [
  { kind: 'Ignore', name: 'words-for-people', value: { shouldIgnore: reasonToIgnore } },
];

function reasonToIgnore({ node, key, listKey, parent }: NodePath): string | undefined {
  if (parent === null) return undefined;
  if (listKey === 'arguments' && isText(node)) {
    if (parent.type === 'NewExpression' && key === 0 && isPlainError(parent))
      return 'an error text';
    if (parent.type === 'CallExpression' && levels.has(parent.callee?.property?.name ?? '')) {
      return 'a log text';
    }
  }
  if (isProperty(parent) && key === 'value' && isText(node) && isRead(parent)) return 'a text';
  if (listKey === 'elements' && isText(node) && elementsOf(parent) > shortListMax) {
    return 'one word of a long list';
  }
  const saysOnly = node.type === 'ObjectExpression' ? (node.properties ?? []) : [];
  if (saysOnly.length > 0 && saysOnly.every((property) => isRead(property as Node))) {
    return 'nothing but texts';
  }
  return undefined;
}

function elementsOf({ elements }: Node): number {
  return (elements as readonly Node[] | undefined)?.length ?? 0;
}

function isText(node: Node): boolean {
  return node.type === 'StringLiteral' || node.type === 'TemplateLiteral';
}

/** The first argument of a LatchkeyError is its code. */
function isPlainError({ callee }: Node): boolean {
  return callee?.name?.endsWith('Error') === true && callee.name !== 'LatchkeyError';
}

function isProperty(node: Node): boolean {
  return node.type === 'ObjectProperty';
}

function isRead(property: Node): boolean {
  return read.has((property.key as Node | undefined)?.name ?? '');
}
