import { closeSync, fchmodSync, openSync, writeSync } from 'node:fs';

/**
 * The file that holds what was not imported, for whoever mends it. It is made at the first line. It
 * holds password hashes, so only its owner reads it. A run begins it anew: it goes over every line.
 */
export class RejectsFile {
  readonly path: string;
  #descriptor: number | null = null;

  constructor(path: string) {
    this.path = path;
  }

  get isEmpty(): boolean {
    return this.#descriptor === null;
  }

  add(reject: Readonly<Record<string, unknown>>): void {
    this.#descriptor ??= openPrivate(this.path);
    writeSync(this.#descriptor, `${JSON.stringify(reject)}\n`);
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
  }
}

/** Opens a file for writing that only its owner may read, also one that was there before. */
export function openPrivate(path: string): number {
  const descriptor = openSync(path, 'w', 0o600);
  fchmodSync(descriptor, 0o600);
  return descriptor;
}
