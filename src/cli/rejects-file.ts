import {
  closeSync,
  fchmodSync,
  fstatSync,
  lstatSync,
  openSync,
  unlinkSync,
  writeSync,
} from 'node:fs';

export interface Reject {
  /** Where it stands in the file that is imported, and why it is refused. */
  readonly about: Readonly<Record<string, unknown>>;
  /** What stands there; null when nothing of it may be kept. */
  readonly text: string | null;
}

/** A field with a text or an object in it whose name speaks of what Latchkey must keep secret. */
const hashField = /"[^"]*(?:pass|hash|secret)[^"]*"\s*:\s*(?:"[^"]|\{)/i;

/**
 * The file that holds what was not imported, for whoever mends it. It may hold password hashes, so
 * only its owner reads it. It is made at the first line of a run, which goes over every line: what
 * an earlier run has left is worth nothing then.
 */
export class RejectsFile {
  readonly path: string;
  #descriptor: number | null = null;
  #holdsHashes = false;

  constructor(path: string) {
    this.path = path;
  }

  get isEmpty(): boolean {
    return this.#descriptor === null;
  }

  /** Whether a password hash may stand in it. */
  get holdsHashes(): boolean {
    return this.#holdsHashes;
  }

  add({ about, text }: Reject): void {
    this.#descriptor ??= openPrivate(this.path);
    const line = text === null ? about : { ...about, user: asJson(text) };
    writeSync(this.#descriptor, `${JSON.stringify(line)}\n`);
    this.#holdsHashes ||= text !== null && hashField.test(text);
  }

  /** The run is over, and has seen every line: without a refusal, the file of an earlier run goes. */
  finish(): void {
    const isOld = this.isEmpty && lstatSync(this.path, { throwIfNoEntry: false })?.isFile();
    if (isOld === true) unlinkSync(this.path);
  }

  close(): void {
    if (this.#descriptor !== null) closeSync(this.#descriptor);
  }
}

function asJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Opens a file for writing that only its owner may read, also one that was there before. What is no
 * file, such as `/dev/null`, stays as open as it is.
 */
export function openPrivate(path: string): number {
  const descriptor = openSync(path, 'w', 0o600);
  if (fstatSync(descriptor).isFile()) fchmodSync(descriptor, 0o600);
  return descriptor;
}
