import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { root } from '../support/source-files.ts';

/** What `npm pack` says of a tarball. */
export interface Tarball {
  /** Where it is. */
  readonly file: string;
  /** Of the tarball, in bytes. */
  readonly size: number;
  /** What it holds. */
  readonly paths: readonly string[];
}

export const packages = ['contract', 'verifier', 'latchkey'] as const;
export type PackageName = (typeof packages)[number];

/** Runs `npm run build`, then `npm pack` of each package into `folder`. */
export async function packAll(folder: string): Promise<Record<PackageName, Tarball>> {
  await run('npm', ['run', 'build'], root);
  const packed = packages.map(async (name) => [name, await pack(name, folder)] as const);
  return Object.fromEntries(await Promise.all(packed)) as Record<PackageName, Tarball>;
}

async function pack(name: PackageName, folder: string): Promise<Tarball> {
  const dist = path.join(root, 'dist', name);
  const printed = await run('npm', ['pack', '--json', '--pack-destination', folder, dist], root);
  const [{ filename, size, files }] = JSON.parse(printed) as [
    { filename: string; size: number; files: { path: string }[] },
  ];
  return { file: path.join(folder, filename), size, paths: files.map((file) => file.path) };
}

/** A new project in a folder of its own below `parent`, with these installed and nothing else. */
export async function installed(parent: string, ...wanted: string[]): Promise<string> {
  const project = mkdtempSync(path.join(parent, 'project-'));
  writeFileSync(path.join(project, 'package.json'), '{ "private": true, "type": "module" }\n');
  await run('npm', ['install', ...wanted], project);
  return project;
}

/** A folder outside the repository. */
export function emptyFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-packages-'));
  mkdirSync(path.join(folder, 'tarballs'));
  return folder;
}

/** Answers what it wrote to stdout. On this Node, without what npm gives to its scripts. */
export async function run(file: string, args: string[], cwd: string): Promise<string> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('npm_package'));
  const PATH = [path.dirname(process.execPath), process.env.PATH].join(path.delimiter);
  const options = { cwd, env: { ...Object.fromEntries(inherited), PATH }, maxBuffer: 2 ** 26 };
  const { stdout } = await promisify(execFile)(file, args, options);
  return stdout;
}
