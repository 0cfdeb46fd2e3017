import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { type Reply, type ReplyHeaders, reply } from './reply.ts';

/** One Buffer, which every answer shares: a client that does not read holds no copy of it. */
export interface StaticDocument {
  readonly body: Buffer;
  /** With its own ETag. */
  readonly headers: ReplyHeaders;
}

export function staticDocument(text: string, headers: ReplyHeaders): StaticDocument {
  const body = Buffer.from(text, 'utf8');
  const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
  return { body, headers: { ...headers, etag } };
}

/** 200 with the document, or 304 for a client that has it. */
export function documentReply(
  { body, headers }: StaticDocument,
  request: IncomingHttpHeaders,
): Reply {
  return isUnchanged(request['if-none-match'], String(headers.etag))
    ? reply(304, undefined, headers)
    : reply(200, body, headers);
}

/** RFC 9110 section 13.1.2: a weak comparison with each of the listed tags. */
export function isUnchanged(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}
