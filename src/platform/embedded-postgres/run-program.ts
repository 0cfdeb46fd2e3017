import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface ProgramOptions {
  readonly env: NodeJS.ProcessEnv;
  readonly uid?: number;
  readonly gid?: number;
}

/**
 * Runs a program to its end and answers all that it printed, on both streams. Raises an error with
 * that text unless it ends with code 0.
 */
export async function outputOf(
  file: string,
  args: readonly string[],
  options: ProgramOptions,
): Promise<string> {
  const child = spawn(file, args, { ...options, cwd: '/', stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  child.stderr.setEncoding('utf8').on('data', (chunk) => (output += chunk));
  // Not 'exit': what the program has printed may arrive after that.
  const [code, signal] = await once(child, 'close');
  if (code !== 0) throw new Error(`${file} failed (${code ?? signal}): ${output.trim()}`);
  return output;
}
