import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

const folder = path.join(
  process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'),
  'latchkey-gateways',
);

/** Throws unless `test/gateways/install` has put the program there. */
function installed(...parts: string[]): string {
  const file = path.join(folder, ...parts);
  if (existsSync(file)) return file;
  throw new Error(`${parts.join('/')} is not installed: run test/gateways/install`);
}

/** Built with Go, such as `v2.11.4`. */
export const builtCaddy = (version: string) => installed(`caddy-${version}`);

/** Of its Python package. */
export const envoy = () => installed('envoy-1.40.0', 'envoy', '_bin', 'envoy');

/** nginx, HAProxy and Caddy of Debian. */
export function packaged(program: string, versionFlag: string): string {
  try {
    execFileSync(program, [versionFlag], { stdio: 'ignore' });
    return program;
  } catch {
    throw new Error(`${program} is not installed: run test/gateways/install`);
  }
}

/** nginx of Debian with the example in this folder. */
export const nginxIn = (folder: string): string[] => [
  packaged('nginx', '-v'),
  ...['-c', path.join(folder, 'nginx.conf'), '-p', folder, '-e', 'stderr'],
  ...['-g', `daemon off; pid ${folder}/pid;`],
];

/** A Caddy with the example in the folder that it is started in. */
export const caddyHere = (program: string): string[] => [
  program,
  ...['run', '--config', 'Caddyfile', '--adapter', 'caddyfile'],
];
