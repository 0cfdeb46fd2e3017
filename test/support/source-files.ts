import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseAst } from 'vitest/node';

export const root = fileURLToPath(new URL('../..', import.meta.url));

export interface SourceFile {
  /** From the root of the repository, with forward slashes. */
  readonly path: string;
  readonly text: string;
}

export interface Import {
  readonly from: string;
  /** Vanishes at run time. */
  readonly typeOnly: boolean;
  readonly names: readonly string[];
  readonly isReExport: boolean;
  /** `import()`. */
  readonly isDynamic: boolean;
}

interface Node {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [field: string]: unknown;
}

const skipped = new Set(['node_modules', '.git', '.latchkey', 'results', 'coverage', 'dist']);

export function readText(file: string): string {
  return readFileSync(path.join(root, file), 'utf8');
}

/** Every file below these paths of the repository, sorted. */
export function filesBelow(...starts: string[]): string[] {
  const found: string[] = [];
  const visit = (file: string) => {
    if (!statSync(path.join(root, file)).isDirectory()) {
      found.push(file);
      return;
    }
    for (const name of readdirSync(path.join(root, file))) {
      if (!skipped.has(name)) visit(`${file}/${name}`);
    }
  };
  for (const start of starts) visit(start);
  return found.sort();
}

export function sourceFiles(...starts: string[]): SourceFile[] {
  return filesBelow(...starts)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => ({ path: file, text: readText(file) }));
}

const parsed = new WeakMap<SourceFile, readonly Node[]>();

/** Every syntax node of a TypeScript file, outermost first. A file is parsed once. */
export function nodesOf(file: SourceFile): readonly Node[] {
  const known = parsed.get(file);
  if (known !== undefined) return known;
  const nodes: Node[] = [];
  const pending: unknown[] = [parseAst(file.text, { lang: 'ts' })];
  while (pending.length > 0) {
    const value = pending.pop();
    if (Array.isArray(value)) pending.push(...value.toReversed());
    else if (typeof value === 'object' && value !== null) {
      if (typeof (value as Node).type === 'string') nodes.push(value as Node);
      pending.push(...Object.values(value).toReversed());
    }
  }
  parsed.set(file, nodes);
  return nodes;
}

export function importsOf(file: SourceFile): Import[] {
  const found: Import[] = [];
  for (const node of nodesOf(file)) {
    const source = node.source as { value?: string } | null | undefined;
    if (typeof source?.value !== 'string') continue;
    const specifiers = (node.specifiers ?? []) as {
      importKind?: string;
      exportKind?: string;
      imported?: { name: string };
    }[];
    const kinds = specifiers.map(({ importKind, exportKind }) => importKind ?? exportKind);
    const wholly = node.importKind === 'type' || node.exportKind === 'type';
    found.push({
      from: source.value,
      typeOnly: wholly || (kinds.length > 0 && kinds.every((kind) => kind === 'type')),
      names: specifiers.flatMap(({ imported }) => imported?.name ?? []),
      isReExport: node.type.startsWith('Export'),
      isDynamic: node.type === 'ImportExpression',
    });
  }
  return found;
}

/** Where the packages of this repository keep what they export. */
const workspaces: Readonly<Record<string, string>> = {
  '@latchkey/contract/': 'packages/contract/src/',
  '@latchkey/verifier/internal/': 'packages/verifier/src/core/',
  '@latchkey/verifier/': 'packages/verifier/src/core/',
};

/**
 * The file that an import names, from the root of the repository; null for a package of others.
 */
export function resolved(importer: string, specifier: string): string | null {
  if (specifier.startsWith('.')) {
    return path.posix.join(path.posix.dirname(importer), specifier);
  }
  for (const [name, folder] of Object.entries(workspaces)) {
    if (specifier.startsWith(name)) return `${folder}${specifier.slice(name.length)}.ts`;
  }
  return null;
}

export function functionsOf(file: SourceFile): { line: number; lines: number }[] {
  const lineAt = (offset: number) => file.text.slice(0, offset).split('\n').length;
  const found: { line: number; lines: number }[] = [];
  for (const node of nodesOf(file)) {
    if (!/^(Arrow)?Function(Declaration|Expression)$/.test(node.type)) continue;
    const line = lineAt(node.start);
    found.push({ line, lines: lineAt(node.end) - line + 1 });
  }
  return found;
}
