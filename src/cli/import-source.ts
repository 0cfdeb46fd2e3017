import { pipeline, Readable } from 'node:stream';
import parser from 'stream-json';
import { pick } from 'stream-json/filters/pick.js';
import { streamArray } from 'stream-json/streamers/stream-array.js';

/** A user of the file as it stands there. */
export interface SourceItem {
  /** From 1: its line, or which of the users of one JSON document it is. */
  readonly number: number;
  /** undefined for what cannot be read. */
  readonly value: unknown;
  readonly refusal?: 'not_json' | 'too_long';
  /** What stands there, for whoever mends it; of a line that is too long the beginning. */
  readonly text: string;
}

export interface ImportSource {
  readonly unit: 'line' | 'user';
  readonly items: AsyncIterable<SourceItem>;
}

/** What follows these users cannot be read. */
export class DamagedExportError extends Error {
  constructor(users: number) {
    super(`The file is no JSON that can be read, after ${users} users`);
  }
}

const headBytes = 64 * 1024;
const lineBytesMax = 1024 * 1024;
const newline = 0x0a;
const byteOrderMark = Buffer.from([0xef, 0xbb, 0xbf]);

/**
 * Users of a file that may be larger than the memory: one JSON object on each line, a JSON array of
 * them, or a document with the array `users` in it, as Keycloak's. A line that cannot be read is an
 * item too; a document that is damaged ends the reading with an error.
 */
export async function openImportSource(chunks: AsyncIterable<Buffer>): Promise<ImportSource> {
  const { head, all } = await withHead(chunks);
  const kind = kindOf(head);
  if (kind === 'lines') return { unit: 'line', items: readLines(all) };
  return { unit: 'user', items: readDocument(all, kind === 'array') };
}

async function withHead(chunks: AsyncIterable<Buffer>) {
  const iterator = chunks[Symbol.asyncIterator]();
  const read: Buffer[] = [];
  let length = 0;
  while (length < headBytes) {
    const { done, value } = await iterator.next();
    if (done === true) break;
    read.push(value);
    length += value.length;
  }
  const begun = Buffer.concat(read);
  const head = begun.subarray(0, 3).equals(byteOrderMark) ? begun.subarray(3) : begun;
  async function* all(): AsyncGenerator<Buffer> {
    yield head;
    yield* { [Symbol.asyncIterator]: () => iterator };
  }
  return { head: head.toString('utf8'), all: all() };
}

function kindOf(head: string): 'lines' | 'array' | 'document' {
  const begin = head.trimStart();
  if (begin.startsWith('[')) return 'array';
  const firstLine = begin.slice(0, begin.indexOf('\n') === -1 ? undefined : begin.indexOf('\n'));
  try {
    const first: unknown = JSON.parse(firstLine);
    const holdsUsers = Array.isArray((first as { users?: unknown } | null)?.users);
    return holdsUsers ? 'document' : 'lines';
  } catch {
    // An object that goes on behind its first line, or behind all that was looked at.
    return /^\{\s*(?:\n|"realm"|"id"[^\n]{65000})/.test(begin) ? 'document' : 'lines';
  }
}

async function* readLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<SourceItem> {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  let number = 0;
  for await (const line of splitLines(chunks)) {
    number += 1;
    if (line.length > lineBytesMax) {
      const text = line.subarray(0, 1_000).toString('utf8');
      yield { number, value: undefined, refusal: 'too_long', text };
      continue;
    }
    const lossy = line.toString('utf8');
    if (lossy.trim() === '') continue;
    try {
      yield { number, value: JSON.parse(decoder.decode(line)), text: lossy };
    } catch {
      yield { number, value: undefined, refusal: 'not_json', text: lossy };
    }
  }
}

/** Of a line that is too long no more is kept than it takes to know that. */
async function* splitLines(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  const keep = (part: Buffer) => {
    if (length <= lineBytesMax && part.length > 0) parts.push(part);
    length += part.length;
  };
  const line = () => {
    const whole = Buffer.concat(parts);
    [parts, length] = [[], 0];
    return whole;
  };
  for await (const chunk of chunks) {
    let from = 0;
    for (let at = chunk.indexOf(newline); at !== -1; at = chunk.indexOf(newline, from)) {
      keep(chunk.subarray(from, at));
      yield line();
      from = at + 1;
    }
    keep(chunk.subarray(from));
  }
  if (length > 0) yield line();
}

async function* readDocument(
  chunks: AsyncIterable<Buffer>,
  isArray: boolean,
): AsyncGenerator<SourceItem> {
  const users = streamArray.asStream();
  const source = Readable.from(chunks);
  const ended = () => {};
  if (isArray) pipeline(source, parser(), users, ended);
  else pipeline(source, parser(), pick.asStream({ filter: 'users' }), users, ended);
  let number = 0;
  try {
    for await (const { value } of users as AsyncIterable<{ value: unknown }>) {
      number += 1;
      yield { number, value, text: JSON.stringify(value) };
    }
  } catch {
    // The parser's own message may quote the document.
    throw new DamagedExportError(number);
  }
}
