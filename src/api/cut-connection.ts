import { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Node parses what it has read of a connection to its end, also when the connection was cut in the
 * middle: up to 1,600 requests, each with objects of 5 KB that live until the connection is gone.
 * On a cut connection all of them are this one pair, which takes in everything and says nothing.
 */
const sinks = new WeakMap<Socket, { request: IncomingMessage; response: ServerResponse }>();

function sinkOf(socket: Socket) {
  const known = sinks.get(socket);
  if (known !== undefined) return known;
  const request = new IncomingMessage(socket);
  const response = new ServerResponse(request);
  Object.assign(request, { push: () => true, destroy: () => request, _read: () => {} });
  Object.assign(request, { _addHeaderLines: () => {}, _dumpAndCloseReadable: () => {} });
  Object.assign(response, { on: () => response, destroy: () => response });
  const sink = { request, response };
  sinks.set(socket, sink);
  return sink;
}

/** What `createServer` makes of a request. */
export class CutOffRequest extends IncomingMessage {
  // biome-ignore lint/correctness/noUnreachableSuper: a cut connection makes no new one
  constructor(socket: Socket) {
    // biome-ignore lint/correctness/noConstructorReturn: the one of all that are cut off
    if (socket.destroyed) return sinkOf(socket).request;
    super(socket);
  }
}

/** What `createServer` makes of its response. */
export class CutOffResponse<R extends IncomingMessage = IncomingMessage> extends ServerResponse<R> {
  // biome-ignore lint/correctness/noUnreachableSuper: a cut connection makes no new one
  constructor(request: R, options?: object) {
    // biome-ignore lint/correctness/noConstructorReturn: the one of all that are cut off
    if (request.socket.destroyed) return sinkOf(request.socket).response as ServerResponse<R>;
    // @ts-expect-error Node's own options, which its types do not tell
    super(request, options);
  }
}
