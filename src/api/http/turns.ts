import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { InFlight } from './in-flight.ts';

/**
 * Pipelined requests that may wait on one connection. The few clients that pipeline at all send
 * fewer.
 */
const waitingMax = 32;

interface Waiting {
  count: number;
  /** The latest of them. */
  last: ServerResponse;
  /** Sends the refusal of `last`, whose own body broke off. */
  refuse: (() => void) | null;
}

/**
 * Answers the requests of one connection one after another (RFC 9112 section 9.3.2). Node hands out
 * every request of a piece of 64 KiB at once: 1,600 of them, and their answers were all held for a
 * client that reads none. Here one answer is under way on a connection, a few requests wait for it,
 * and a connection with more is cut.
 */
export class Turns {
  readonly #waiting = new WeakMap<Socket, Waiting>();
  readonly #refused = new WeakSet<Socket>();
  readonly #inFlight: Pick<InFlight, 'on'>;

  constructor(inFlight: Pick<InFlight, 'on'>) {
    this.#inFlight = inFlight;
  }

  /** `listener`, but called for each request only when it is its turn. */
  inTurn(listener: RequestListener): RequestListener {
    return (request, response) => {
      // Node gives a response its connection once each one before it has been written.
      if (request.socket.destroyed) return;
      if (response.socket !== null) listener(request, response);
      else this.#wait(request, response, listener);
    };
  }

  /**
   * Sends `answer` and closes, because what came last on `socket` cannot be read: after the answers
   * to what could, and instead of the one to a request that broke off.
   */
  refuse(socket: Socket, answer: string): void {
    // Node reports each further piece of the same connection again.
    if (this.#refused.has(socket)) return;
    this.#refused.add(socket);
    const refuse = () => {
      if (socket.writable) socket.end(answer);
    };
    const waiting = this.#waiting.get(socket);
    const last = waiting?.last ?? this.#inFlight.on(socket);
    if (last === null) refuse();
    else if (last.req.complete) last.once('close', refuse);
    else if (waiting !== undefined) waiting.refuse = refuse;
    else if (last.headersSent) socket.destroy();
    else refuse();
  }

  #wait(request: IncomingMessage, response: ServerResponse, listener: RequestListener): void {
    const { socket } = request;
    const waiting = this.#waiting.get(socket) ?? { count: 0, last: response, refuse: null };
    if (waiting.count === waitingMax) {
      cut(socket);
      return;
    }
    waiting.count += 1;
    waiting.last = response;
    this.#waiting.set(socket, waiting);
    response.once('socket', () => {
      waiting.count -= 1;
      if (waiting.count === 0) this.#waiting.delete(socket);
      if (waiting.last === response && waiting.refuse !== null) waiting.refuse();
      else listener(request, response);
    });
  }
}

interface Parser {
  onIncoming: ((request: { upgrade: boolean }) => number) | null;
}

/** As Node answers an `Upgrade` inside: what follows is not parsed. And this is none. */
const parsesNoFurther = (request: { upgrade: boolean }) => {
  request.upgrade = false;
  return 2;
};

/**
 * Node parses what it has read of a connection to its end, also when the connection was cut in the
 * middle: up to 1,600 requests, each with objects of 5 KB.
 */
function cut(socket: Socket & { readonly parser?: Parser | null }): void {
  if (socket.parser) socket.parser.onIncoming = parsesNoFurther;
  socket.destroy();
}
