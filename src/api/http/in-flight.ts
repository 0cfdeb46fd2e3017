import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';

/**
 * The responses that are being worked on, so that a drain can ask their clients to go elsewhere
 * next.
 */
export class InFlight {
  #responses = new Set<ServerResponse>();
  #draining = false;

  get draining(): boolean {
    return this.#draining;
  }

  add(response: ServerResponse): void {
    this.#responses.add(response);
    if (this.#draining) response.setHeader('connection', 'close');
  }

  delete(response: ServerResponse): void {
    this.#responses.delete(response);
  }

  /** The answer that is under way on `socket`, or null. */
  on(socket: Socket): ServerResponse | null {
    for (const response of this.#responses) if (response.socket === socket) return response;
    return null;
  }

  /** From now on every answer closes its connection. */
  drain(): void {
    this.#draining = true;
    for (const response of this.#responses) {
      if (!response.headersSent) response.setHeader('connection', 'close');
    }
  }
}
