import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { sha256 } from '../../domain/kernel/sha256.ts';
import { type Reply, type ReplyHeaders, reply } from './reply.ts';

/** One Buffer, which every answer shares: a client that does not read holds no copy of it. */
export interface StaticDocument {
  readonly body: Buffer;
  /** With its own ETag. */
  readonly headers: ReplyHeaders;
}

/** The same content twice: to compress it for each answer would cost more than to hold it. */
export interface CompressedDocument {
  readonly plain: StaticDocument;
  readonly gzipped: StaticDocument;
}

export function staticDocument(content: string | Buffer, headers: ReplyHeaders): StaticDocument {
  const body = Buffer.from(content as string);
  const etag = `"${sha256(body)}"`;
  return { body, headers: { ...headers, etag } };
}

/** Compresses beside the event loop. */
export async function compressedDocument(
  content: string | Buffer,
  headers: ReplyHeaders,
): Promise<CompressedDocument> {
  const vary = [headers.vary ?? [], 'Accept-Encoding'].flat().join(', ');
  const varying = { ...headers, vary };
  const small = await promisify(gzip)(content, { level: constants.Z_BEST_COMPRESSION });
  return {
    plain: staticDocument(content, varying),
    gzipped: staticDocument(small, { ...varying, 'content-encoding': 'gzip' }),
  };
}

/** 200 with the document, or 304 for a client that has it. */
export function documentReply(
  document: StaticDocument | CompressedDocument,
  request: IncomingHttpHeaders,
): Reply {
  const { body, headers } = 'plain' in document ? chosen(document, request) : document;
  return isUnchanged(request['if-none-match'], String(headers.etag))
    ? reply(304, undefined, headers)
    : reply(200, body, headers);
}

function chosen(document: CompressedDocument, request: IncomingHttpHeaders): StaticDocument {
  return acceptsGzip(request['accept-encoding']) ? document.gzipped : document.plain;
}

/** RFC 9110 section 12.5.3; without the header the answer is plain: few such clients decode. */
function acceptsGzip(acceptEncoding: string | undefined): boolean {
  const codings = acceptEncoding
    ?.split(',')
    .map((coding) => coding.replace(/\s/g, '').toLowerCase());
  return codings?.some((coding) => /^(?:gzip|\*)(?:;q=(?!0(?:\.0*)?$).*)?$/.test(coding)) ?? false;
}

/** RFC 9110 section 13.1.2: a weak comparison with each of the listed tags. */
export function isUnchanged(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes(etag) || tags.includes('*');
}
