import { spawnSync } from 'node:child_process';
import { cpSync, globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/**
 * Writes `dist/`: a folder for each package, ready for `npm pack` and `npm publish`. Node strips no
 * types below `node_modules`, so an installed package holds JavaScript.
 */
interface Package {
  readonly folder: string;
  /** Where its package.json and its `src/` stand. */
  readonly from: string;
  /** Its README, from `from`. */
  readonly readme: string;
  /** Files and folders that it publishes besides `lib/` and its README. */
  readonly files: readonly string[];
  /** Folders of `dist/` that travel in its tarball, so that no registry is asked for them. */
  readonly bundles: readonly string[];
}

interface Manifest {
  readonly [field: string]: unknown;
  readonly bin?: unknown;
  readonly exports?: Readonly<Record<string, string>>;
  readonly devEngines?: { readonly runtime: { readonly version: string } };
}

/** In the order of their dependencies. */
const packages: readonly Package[] = [
  {
    folder: 'contract',
    from: 'packages/contract',
    readme: 'README.md',
    files: [],
    bundles: [],
  },
  {
    folder: 'verifier',
    from: 'packages/verifier',
    readme: 'README.md',
    files: [],
    bundles: ['contract'],
  },
  {
    folder: 'latchkey',
    from: '.',
    readme: 'docs/npm-package.md',
    files: [
      'migrations',
      'templates',
      'docs/operations.md',
      'docs/postgres.md',
      'docs/settings.md',
    ],
    bundles: ['contract', 'verifier'],
  },
];

const root = import.meta.dirname;
const dist = path.join(root, 'dist');
const compiled = path.join(dist, 'compiled');
const { devEngines } = manifestIn('.');

rmSync(dist, { recursive: true, force: true });
compile();
for (const each of packages) assemble(each);
rmSync(compiled, { recursive: true });

function compile(): void {
  const compiler = path.join(root, 'node_modules/typescript/bin/tsc');
  const args = [compiler, '-p', 'tsconfig.build.json', '--outDir', compiled];
  const { status } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (status !== 0) process.exit(1);
}

function assemble({ folder, from, readme, files, bundles }: Package): void {
  const manifest = manifestIn(from);
  const target = path.join(dist, folder);
  const sources = path.join(root, from, 'src');
  mkdirSync(target);
  const isProgram = !Object.values(manifest.exports ?? {}).some((file) => file.endsWith('.ts'));
  const isNeeded = (file: string) => !(isProgram && file.endsWith('.d.ts'));
  cpSync(path.join(compiled, from, 'src'), path.join(target, 'lib'), {
    recursive: true,
    filter: isNeeded,
  });
  for (const file of globSync('**/*.*', { cwd: sources })) {
    if (!file.endsWith('.ts')) cpSync(path.join(sources, file), path.join(target, 'lib', file));
  }
  for (const file of files) {
    cpSync(path.join(root, from, file), path.join(target, file), { recursive: true });
    if (file.endsWith('.md')) unlinkAbsent(path.join(target, file), files);
  }
  cpSync(path.join(root, from, readme), path.join(target, 'README.md'));
  cpSync(path.join(root, 'LICENSE'), path.join(target, 'LICENSE'));
  for (const bundled of bundles) {
    const inside = path.join(target, 'node_modules/@latchkey', bundled);
    cpSync(path.join(dist, bundled), inside, {
      recursive: true,
      filter: (file) => path.basename(file) !== 'node_modules' && isNeeded(file),
    });
  }
  const published = publishedManifest(manifest, files, bundles);
  writeFileSync(path.join(target, 'package.json'), `${JSON.stringify(published, null, 2)}\n`);
}

/** Leaves the words of a link whose page is not in the package. */
function unlinkAbsent(page: string, files: readonly string[]): void {
  const present = files.map((file) => path.basename(file));
  const text = readFileSync(page, 'utf8').replace(
    /\[([^\]]*)\]\(([^)#:]+)(?:#[^)]*)?\)/g,
    (link, words, target) => (present.includes(target) ? link : words),
  );
  writeFileSync(page, text);
}

/** What somebody who installs the package needs of its package.json. */
function publishedManifest(
  { name, version, description, keywords, license, type, bin, exports, ...rest }: Manifest,
  files: readonly string[],
  bundles: readonly string[],
): object {
  const { sideEffects, dependencies, peerDependencies, peerDependenciesMeta } = rest;
  return {
    ...{ name, version, description, keywords, license, type, sideEffects },
    engines: { node: devEngines!.runtime.version },
    bin: mapped(bin, built),
    exports: mapped(exports, (file) => {
      const target = built(file);
      return target.endsWith('.js')
        ? { types: target.replace(/js$/, 'd.ts'), default: target }
        : target;
    }),
    files: ['lib', ...files],
    ...{ dependencies, peerDependencies, peerDependenciesMeta },
    ...(bundles.length === 0
      ? {}
      : { bundleDependencies: bundles.map((bundled) => `@latchkey/${bundled}`) }),
  };
}

function built(source: string): string {
  return source.replace(/^(\.\/)?src\/(.*)\.ts$/, '$1lib/$2.js');
}

function mapped(field: unknown, map: (file: string) => unknown): unknown {
  if (field === undefined) return undefined;
  const entries = Object.entries(field as Record<string, string>);
  return Object.fromEntries(entries.map(([name, file]) => [name, map(file)]));
}

function manifestIn(folder: string): Manifest {
  return JSON.parse(readFileSync(path.join(root, folder, 'package.json'), 'utf8')) as Manifest;
}
