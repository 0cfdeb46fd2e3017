import { connect, type Socket } from 'node:net';

// The load generator of refresh.ts, a process of its own. It keeps every session's token from round
// to round and refreshes each session in order: of one session, one request is under way.

export interface Target {
  readonly url: string;
  readonly path: string;
  readonly contentType: string;
  /** The request's body, with `{token}` in the place of the refresh token. */
  readonly body: string;
  readonly tokens: readonly string[];
}

export interface RoundRequest {
  readonly seconds: number;
  readonly connections: number;
  /** Requests per second, begun on time whatever the answers take; null for a closed loop. */
  readonly rate: number | null;
}

export interface RoundResult {
  readonly answers: number;
  /** 503 instead of an answer: the machine was too busy for the deadline. */
  readonly unavailable: number;
  readonly perSecond: number;
  /** Milliseconds, from the time when the request was due. */
  readonly p50: number;
  readonly p99: number;
}

/** One keep-alive connection; one request at a time. Rejects unless the answer is 200 or 503. */
class Connection {
  readonly #socket: Socket;
  readonly #head: string;
  #received = '';
  #answered: { resolve: (body: string | null) => void; reject: (error: Error) => void } | null =
    null;

  constructor(target: Target) {
    const { hostname, port } = new URL(target.url);
    this.#socket = connect({ host: hostname, port: Number(port), noDelay: true });
    this.#socket.setEncoding('latin1');
    this.#socket.on('data', (chunk) => this.#take(String(chunk)));
    this.#socket.on('error', (error) => this.#answered?.reject(error));
    this.#socket.on('close', () => this.#answered?.reject(new Error('connection closed')));
    this.#head = [
      `POST ${target.path} HTTP/1.1`,
      `Host: ${hostname}:${port}`,
      `Content-Type: ${target.contentType}`,
      'User-Agent: latchkey-bench',
      'Content-Length: ',
    ].join('\r\n');
  }

  /** The body of the answer; null for 503. */
  request(body: string): Promise<string | null> {
    return new Promise((resolve, reject) => {
      this.#answered = { resolve, reject };
      this.#socket.write(`${this.#head}${body.length}\r\n\r\n${body}`);
    });
  }

  end(): void {
    this.#socket.destroy();
  }

  #take(chunk: string): void {
    this.#received += chunk;
    const end = this.#received.indexOf('\r\n\r\n');
    if (end === -1) return;
    const length = Number(/content-length: (\d+)/i.exec(this.#received.slice(0, end))?.[1]);
    if (this.#received.length < end + 4 + length) return;
    const answer = this.#received;
    const { resolve, reject } = this.#answered!;
    this.#received = '';
    this.#answered = null;
    if (answer.startsWith('HTTP/1.1 200')) resolve(answer.slice(end + 4));
    else if (answer.startsWith('HTTP/1.1 503')) resolve(null);
    else reject(new Error(`not refreshed: ${answer}`));
  }
}

async function runRound(
  target: Target,
  idle: string[],
  { seconds, rate, connections: count }: RoundRequest,
): Promise<RoundResult> {
  // New ones: while the other sides had their turns, a server may have closed what lay idle.
  const connections = Array.from({ length: count }, () => new Connection(target));
  const latencies: number[] = [];
  let unavailable = 0;
  const begun = performance.now();
  const until = begun + seconds * 1000;
  let due = 0;
  const refresh = async (connection: Connection, since: number) => {
    // First in, first out: the session that has rested longest.
    const token = idle.shift()!;
    const body = await connection.request(target.body.replace('{token}', token));
    if (body === null) {
      unavailable += 1;
      idle.push(token);
      return;
    }
    latencies.push(performance.now() - since);
    const successor = /"refresh_token":"([^"]+)"/.exec(body)?.[1];
    if (successor === undefined || successor === token) throw new Error(`no successor: ${body}`);
    idle.push(successor);
  };
  const closed = async (connection: Connection) => {
    while (performance.now() < until) await refresh(connection, performance.now());
  };
  const paced = async (connection: Connection) => {
    for (;;) {
      const at = begun + (due++ * 1000) / rate!;
      if (at >= until) return;
      const waitMs = at - performance.now();
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      await refresh(connection, at);
    }
  };
  await Promise.all(connections.map(rate === null ? closed : paced));
  for (const connection of connections) connection.end();
  const took = (performance.now() - begun) / 1000;
  const sorted = latencies.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.floor(sorted.length * share)] ?? Number.NaN;
  const answers = sorted.length;
  return { answers, unavailable, perSecond: answers / took, p50: at(0.5), p99: at(0.99) };
}

let target: Target;
let idle: string[] = [];

process.on('message', async (message: Target | RoundRequest) => {
  if ('url' in message) {
    target = message;
    idle = [...message.tokens];
    process.send!({ ready: true });
    return;
  }
  try {
    process.send!(await runRound(target, idle, message));
  } catch (error) {
    process.send!({ error: String(error) });
  }
});
process.once('disconnect', () => process.exit());
