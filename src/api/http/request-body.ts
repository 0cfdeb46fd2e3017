import type { IncomingMessage, ServerResponse } from 'node:http';
import type { z } from 'zod';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { limits } from '../../domain/kernel/limits.ts';
import { textFault } from '../../domain/kernel/text-fault.ts';
import { formText } from './form-text.ts';
import { opaqueFieldsOf } from './opaque-texts.ts';

const discardBytesMax = 1024 * 1024;
const discardMs = 500;
const problemsMax = 20;
const pathCharactersMax = 100;

/**
 * A JSON body that fits `schema`. `optional` accepts no body at all as `{}`. Raises
 * `unsupported_media_type`, `payload_too_large`, or `invalid_request` with one entry in `errors`
 * for each field that is wrong or unknown.
 */
export async function readJson<S extends z.ZodType>(
  request: IncomingMessage,
  schema: S,
  { optional = false }: { optional?: boolean } = {},
): Promise<z.output<S>> {
  if (optional) {
    // An empty body may come in chunks too; its Content-Type then describes nothing.
    const body = await readBody(request);
    if (body.length === 0) return check(schema, {});
    requireJson(request);
    return check(schema, parseJson(body, opaqueFieldsOf(schema)));
  }
  requireJson(request);
  return check(schema, parseJson(await readBody(request), opaqueFieldsOf(schema)));
}

/** Which parameters of a form may hold NUL, and which may be repeated. */
interface FormFields {
  readonly opaque?: ReadonlySet<string>;
  readonly lists?: ReadonlySet<string>;
}

/** What a form holds: those that stand there once, and the lists, without any that is empty. */
export interface FormParameters {
  readonly texts: Readonly<Record<string, string>>;
  readonly lists: Readonly<Record<string, readonly string[]>>;
}

/**
 * The parameters of a form body (RFC 6749 appendix B). Repeated ones are refused, unless they are
 * lists; an empty value counts as omitted (RFC 6749 section 3.2).
 */
export async function readFormParameters(
  request: IncomingMessage,
  fields: FormFields = {},
): Promise<FormParameters> {
  const type = mediaType(request.headers['content-type']);
  if (type !== 'application/x-www-form-urlencoded') {
    throw new LatchkeyError('unsupported_media_type', { detail: 'content-type' });
  }
  return parseForm(decodeUtf8(await readBody(request)), fields);
}

/** Parameters of a query: each at most once, valid UTF-8, no NUL. */
export function parseParameters(text: string): Readonly<Record<string, string>> {
  return parseForm(text, {}).texts;
}

const none: ReadonlySet<string> = new Set();

function parseForm(
  text: string,
  { opaque = none, lists: listNames = none }: FormFields,
): FormParameters {
  const texts: Record<string, string> = Object.create(null);
  const lists: Record<string, string[]> = Object.create(null);
  for (const pair of text.split('&')) {
    if (pair === '') continue;
    const equals = pair.indexOf('=');
    const name = formText(equals === -1 ? pair : pair.slice(0, equals), 'body');
    const value = formText(equals === -1 ? '' : pair.slice(equals + 1), 'body');
    if (name in texts) throw invalid(name, 'given more than once');
    if (!opaque.has(name)) checkText(value, name);
    if (!listNames.has(name)) texts[name] = value;
    else if (value !== '') lists[name] = [...(lists[name] ?? []), value];
  }
  for (const [name, value] of Object.entries(texts)) {
    if (value === '') delete texts[name];
  }
  return { texts, lists };
}

/**
 * Strict JSON: valid UTF-8, no repeated or `__proto__` key, no NUL and no lone surrogate in any
 * string but the values of the `opaqueFields` of the document itself.
 */
export function parseJson(
  body: Uint8Array,
  opaqueFields: ReadonlySet<string> = new Set(),
): unknown {
  const text = decodeUtf8(body);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw invalid('', 'is not JSON');
  }
  if (keysIn(text) !== checkedKeys(value, opaqueFields)) throw invalid('', 'has a repeated key');
  return value;
}

/** `value` as `schema` understands it, else `invalid_request` naming each problem. */
export function check<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const errors = fieldProblems(result.error.issues).slice(0, problemsMax);
  throw new LatchkeyError('invalid_request', { errors });
}

/** Whether a Content-Type is JSON in UTF-8 (RFC 8259 section 8.1). */
export function isJson(contentType: string | undefined): boolean {
  if (mediaType(contentType) !== 'application/json') return false;
  const charset = /;\s*charset\s*=\s*"?([^";\s]*)"?/i.exec(contentType ?? '')?.[1];
  return charset === undefined || charset.toLowerCase() === 'utf-8';
}

/** Whether the request announces a body of at least one byte. */
export function hasBody(request: IncomingMessage): boolean {
  const length = request.headers['content-length'];
  return request.headers['transfer-encoding'] !== undefined || Number(length ?? 0) > 0;
}

const waitingToContinue = new WeakMap<IncomingMessage, ServerResponse>();

/**
 * Puts off the `100 Continue` that `request` waits for until its body is read. Who reads none
 * answers at once, and a gateway does not take 100 for the answer.
 */
export function continueWhenRead(request: IncomingMessage, response: ServerResponse): void {
  waitingToContinue.set(request, response);
}

/** Whether the request announces a body of which a part has not arrived. */
export function bodyIsOnItsWay(request: IncomingMessage): boolean {
  return !request.complete && hasBody(request);
}

/**
 * Swallows the rest of a body that nobody will read, up to a bound in bytes and time. A connection
 * that is closed with bytes still unread is reset, and the reset can overtake the answer.
 */
export async function discardBody(request: IncomingMessage): Promise<void> {
  if (request.complete || request.destroyed || !hasBody(request)) return;
  await new Promise<void>((resolve) => {
    let left = discardBytesMax;
    const done = (): void => {
      clearTimeout(timer);
      request.off('data', onData).off('end', done).off('error', done).off('close', done);
      request.resume();
      resolve();
    };
    const timer = setTimeout(done, discardMs);
    const onData = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left < 0) done();
    };
    request.on('data', onData).on('end', done).on('error', done).on('close', done).resume();
  });
}

/**
 * A whole body. Raises `payload_too_large` (with or without a length), and `unsupported_media_type`
 * for a compressed one.
 */
async function readBody(request: IncomingMessage): Promise<Buffer> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new LatchkeyError('unsupported_media_type', { detail: 'content-encoding' });
  }
  if (Number(request.headers['content-length'] ?? 0) > limits.requestBodyBytesMax) {
    throw new LatchkeyError('payload_too_large');
  }
  // The server ends a request without a body before we see it: no event would come.
  return hasBody(request) ? collect(request) : Buffer.alloc(0);
}

function requireJson(request: IncomingMessage): void {
  if (isJson(request.headers['content-type'])) return;
  throw new LatchkeyError('unsupported_media_type', { detail: 'content-type' });
}

function mediaType(contentType: string | undefined): string {
  return (contentType ?? '').split(';', 1)[0]!.trim().toLowerCase();
}

function collect(request: IncomingMessage): Promise<Buffer> {
  waitingToContinue.get(request)?.writeContinue();
  waitingToContinue.delete(request);
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const settle = (act: () => void): void => {
      request.off('data', onData).off('end', onEnd).off('error', onLost).off('close', onLost);
      act();
    };
    const onData = (chunk: Buffer): void => {
      length += chunk.length;
      if (length > limits.requestBodyBytesMax)
        settle(() => reject(new LatchkeyError('payload_too_large')));
      else chunks.push(chunk);
    };
    const onEnd = (): void => settle(() => resolve(Buffer.concat(chunks, length)));
    const onLost = (): void => settle(() => reject(new LatchkeyError('invalid_request')));
    request.on('data', onData).on('end', onEnd).on('error', onLost).on('close', onLost);
  });
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw invalid('', 'is not UTF-8');
  }
}

function keysIn(text: string): number {
  let keys = 0;
  for (const match of text.matchAll(/"(?:[^"\\]|\\.)*"(\s*:)?/g)) {
    if (match[1] !== undefined) keys += 1;
  }
  return keys;
}

/**
 * Counts the keys of a parsed document, with a stack of its own: 16 KiB can nest deeper than calls
 * can.
 */
function checkedKeys(document: unknown, opaqueFields: ReadonlySet<string>): number {
  let keys = 0;
  const pending: { value: unknown; path: string; opaque?: boolean }[] = [
    { value: document, path: '' },
  ];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { value, path, opaque = false } = next;
    if (typeof value === 'string' && !opaque) checkText(value, path);
    if (typeof value !== 'object' || value === null) continue;
    for (const [key, inner] of Object.entries(value)) {
      const innerPath = path === '' ? key : `${path}.${key}`.slice(0, pathCharactersMax);
      if (!Array.isArray(value)) keys += 1;
      if (key === '__proto__') throw invalid(innerPath, 'is not a field');
      checkText(key, path);
      const isOpaque = value === document && opaqueFields.has(key);
      pending.push({ value: inner, path: innerPath, opaque: isOpaque });
    }
  }
  return keys;
}

function checkText(text: string, path: string): void {
  const fault = textFault(text);
  if (fault !== null) throw invalid(path, `has ${fault}`);
}

function invalid(path: string, message: string): LatchkeyError {
  return invalidField(shownPath(path === '' ? 'body' : path), message);
}

function shownPath(path: string): string {
  return path.slice(0, pathCharactersMax).toWellFormed().replaceAll('\0', '');
}

type Issue = z.core.$ZodIssue;

function fieldProblems(issues: readonly Issue[], prefix: readonly PropertyKey[] = []) {
  const problems: { path: string; message: string }[] = [];
  for (const issue of issues) {
    const path = [...prefix, ...issue.path];
    if (issue.code === 'unrecognized_keys') {
      for (const key of issue.keys) {
        problems.push({ path: spelled([...path, key]), message: 'is not a field' });
      }
    } else if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      problems.push(...fieldProblems(closestOf(issue.errors), path));
    } else {
      problems.push({ path: spelled(path), message: issue.message });
    }
  }
  return problems;
}

/** What was wrong with it as the kind of value that it is: a long list is no bad text. */
function closestOf(alternatives: readonly Issue[][]): Issue[] {
  const isOfThisType = (issues: readonly Issue[]) =>
    !issues.some(({ code, path }) => code === 'invalid_type' && path.length === 0);
  const candidates = alternatives.filter(isOfThisType);
  const closest = candidates.length > 0 ? candidates : alternatives;
  return closest.toSorted((a, b) => a.length - b.length)[0]!;
}

function spelled(path: readonly PropertyKey[]): string {
  return shownPath(path.length === 0 ? 'body' : path.map(String).join('.'));
}
