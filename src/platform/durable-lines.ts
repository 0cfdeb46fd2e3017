import { type FileHandle, mkdir, open, stat } from 'node:fs/promises';
import path from 'node:path';

const newline = 0x0a;

/**
 * A file of lines that is only ever appended to, of mode 0600. Several processes may append to one:
 * each line is one write at the end. A line that a crash has cut stays, and the next one begins on a
 * line of its own.
 */
export class DurableLines {
  readonly file: string;
  #appending: Promise<void> = Promise.resolve();

  constructor(file: string) {
    this.file = file;
  }

  /** Throws the error of the file system when nothing can be appended. */
  async requireWritable(): Promise<void> {
    const handle = await this.#open();
    await handle.close();
  }

  /** Resolves once the line is on the disk. Throws the error of the file system. */
  append(line: string): Promise<void> {
    // One after the other, as each looks at what the last one left.
    const appending = this.#appending.then(() => this.#append(line));
    this.#appending = appending.catch(() => {});
    return appending;
  }

  /** All lines but empty ones; none when there is no file yet. */
  async *lines(): AsyncGenerator<string> {
    const handle = await open(this.file, 'r').catch(unlessMissing);
    if (handle === null) return;
    try {
      // A device or a pipe keeps nothing, and may never end.
      if (!(await handle.stat()).isFile()) return;
      for await (const line of handle.readLines({ autoClose: false })) if (line !== '') yield line;
    } finally {
      await handle.close();
    }
  }

  /** Another text whenever the file was written to, replaced or removed since. */
  async state(): Promise<string> {
    const status = await stat(this.file).catch(unlessMissing);
    return status === null ? 'missing' : `${status.ino} ${status.size} ${status.mtimeMs}`;
  }

  async #append(line: string): Promise<void> {
    const handle = await this.#open();
    try {
      const separator = (await endsInside(handle)) ? '\n' : '';
      await handle.appendFile(`${separator}${line}\n`);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(path.dirname(this.file));
  }

  async #open(): Promise<FileHandle> {
    await mkdir(path.dirname(this.file), { recursive: true, mode: 0o711 });
    return open(this.file, 'a+', 0o600);
  }
}

/** Whether the last line was cut. */
async function endsInside(handle: FileHandle): Promise<boolean> {
  const { size } = await handle.stat();
  if (size === 0) return false;
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0] !== newline;
}

/** A file whose name is not on the disk is lost with all that was synced in it. */
async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function unlessMissing(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null;
  throw error;
}
