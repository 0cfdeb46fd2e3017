import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface TimedAnswer {
  /** From the last byte sent to the first byte received. */
  readonly ms: number;
  /** Status line, headers and body without what differs in every answer: Date and the request id. */
  readonly text: string;
}

/** One keep-alive connection that measures: no agent, no parser, no buffering between the clock and the wire. */
export class TimedConnection {
  readonly #socket: Socket;
  #received = '';
  #firstByteAt = 0;
  #wake: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true).setEncoding('utf8');
    socket.on('data', (chunk: string) => {
      if (this.#received === '') this.#firstByteAt = performance.now();
      this.#received += chunk;
      this.#wake?.();
    });
    socket.on('close', () => this.#wake?.());
  }

  static async open(port: number): Promise<TimedConnection> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new TimedConnection(socket);
  }

  /** Posts a JSON text; rejects when the connection ends first. */
  async post(path: string, json: string): Promise<TimedAnswer> {
    const bytes = Buffer.from(
      `POST ${path} HTTP/1.1\r\nHost: latchkey.test\r\nContent-Type: application/json\r\n` +
        `Content-Length: ${Buffer.byteLength(json)}\r\n\r\n${json}`,
    );
    this.#received = '';
    const sentAt = performance.now();
    this.#socket.write(bytes);
    while (!isComplete(this.#received)) {
      if (this.#socket.destroyed) throw new Error('the connection ended');
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    return { ms: this.#firstByteAt - sentAt, text: withoutVariables(this.#received) };
  }

  close(): void {
    this.#socket.destroy();
  }
}

function isComplete(received: string): boolean {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return false;
  const length = Number(/content-length: (\d+)/i.exec(received.slice(0, end))?.[1]);
  return received.length >= end + 4 + length;
}

function withoutVariables(answer: string): string {
  return answer
    .replace(/^(date|x-request-id): .*$/gim, '$1: -')
    .replace(/"request_id":"[^"]+"/, '"request_id":"-"');
}

export interface Moments {
  readonly n: number;
  readonly mean: number;
  readonly variance: number;
}

export function moments(values: readonly number[]): Moments {
  const n = values.length;
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  return { n, mean, variance };
}

/** Welch's t of two samples. */
export function welch(a: Moments, b: Moments): number {
  return (a.mean - b.mean) / Math.sqrt(a.variance / a.n + b.variance / b.n);
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

export interface WorstPair {
  readonly t: number;
  readonly pair: string;
}

/** The largest |t| between any two classes, of the samples up to `cutoff`, which is one and the same for all. */
export function worstPair(
  samples: ReadonlyMap<string, readonly number[]>,
  cutoff = Number.POSITIVE_INFINITY,
): WorstPair {
  const all = [...samples].map(
    ([name, values]) => [name, moments(values.filter((value) => value <= cutoff))] as const,
  );
  let worst: WorstPair = { t: 0, pair: '' };
  for (const [at, [name, a]] of all.entries()) {
    for (const [otherName, b] of all.slice(at + 1)) {
      const t = welch(a, b);
      if (Math.abs(t) > Math.abs(worst.t)) worst = { t, pair: `${name} and ${otherName}` };
    }
  }
  return worst;
}

export function shuffled<T>(values: readonly T[]): T[] {
  const result = [...values];
  for (let at = result.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1));
    [result[at], result[other]] = [result[other]!, result[at]!];
  }
  return result;
}
