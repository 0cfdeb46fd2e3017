import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly head: string;
  readonly body: string;
  /** The value of one header, lower case names; undefined when it is not there. */
  header(name: string): string | undefined;
}

/** One TCP connection on which a test writes bytes as they are and reads answer by answer. */
export interface RawConnection {
  send(text: string): void;
  /**
   * The next answer that begins on this connection, or null when the server closed it instead.
   * `method` tells whether a body follows.
   */
  answer(method?: string): Promise<RawAnswer | null>;
  /** Resolves when the connection is closed; tells whether it was reset. */
  readonly closed: Promise<{ reset: boolean }>;
  /** From now on nothing is read. */
  pause(): void;
  destroy(): void;
}

export async function openConnection(port: number): Promise<RawConnection> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  let received: Buffer = Buffer.alloc(0);
  let ended = false;
  let wake = Promise.withResolvers<void>();
  const changed = () => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  let reset = false;
  const closed = new Promise<{ reset: boolean }>((resolve) => {
    socket.on('error', (error: NodeJS.ErrnoException) => {
      reset = error.code === 'ECONNRESET' || error.code === 'EPIPE';
    });
    socket.on('close', () => resolve({ reset }));
  });
  const end = () => {
    ended = true;
    changed();
  };
  socket.on('end', end).on('close', end);
  socket.on('data', (bytes: Buffer) => {
    received = Buffer.concat([received, bytes]);
    changed();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve).once('error', reject);
  });
  const answer = async (method = 'GET') => {
    for (;;) {
      const whole = takeAnswer(received, method);
      if (whole !== null) {
        received = whole.rest;
        return whole.answer;
      }
      if (ended) return null;
      await wake.promise;
    }
  };
  const send = (text: string) => void socket.write(text, 'latin1');
  const pause = () => void socket.pause();
  return { send, answer, closed, pause, destroy: () => socket.destroy() };
}

function takeAnswer(received: Buffer, method: string) {
  const end = received.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const head = received.subarray(0, end).toString('latin1');
  const status = Number(head.split(' ')[1]);
  const header = (name: string) => new RegExp(`^${name}: *(.*)$`, 'im').exec(head)?.[1];
  const bodiless = method === 'HEAD' || status < 200 || status === 204 || status === 304;
  const length = bodiless ? 0 : Number(header('content-length') ?? 0);
  const whole = end + 4 + length;
  if (received.length < whole) return null;
  const body = received.subarray(end + 4, whole).toString('utf8');
  return { answer: { status, head, body, header }, rest: received.subarray(whole) };
}
