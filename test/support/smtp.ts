import type { AddressInfo } from 'node:net';
import { SMTPServer } from 'smtp-server';

export interface ReceivedMail {
  readonly to: string;
  readonly messageId: string;
  readonly subject: string;
  readonly headers: string;
  readonly text: string;
  readonly html: string;
  /** performance.now() when it was accepted. */
  readonly at: number;
}

/** How the server treats the next mail. A number is the reply code of a refusal. */
export interface Treatment {
  readonly connection?: number;
  readonly recipient?: (address: string) => number | null;
  /** Takes the message; `drop` cuts the connection in the middle, `lose` after it was taken. */
  readonly data?: 'drop' | 'lose' | number;
  /** Resolves when the answer to the message may leave. */
  readonly hold?: () => Promise<void>;
}

export interface TestSmtp {
  readonly url: string;
  readonly port: number;
  /** In the order in which they were accepted. */
  readonly mails: readonly ReceivedMail[];
  /** How often a client wanted to hand over a message. */
  readonly attempts: () => number;
  treat(treatment: Treatment): void;
  stop(): Promise<void>;
}

/** A real SMTP server on loopback. */
export async function startSmtp(port = 0, mails: ReceivedMail[] = []): Promise<TestSmtp> {
  let treatment: Treatment = {};
  let attempts = 0;
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['AUTH', 'STARTTLS'],
    disableReverseLookup: true,
    onConnect: (_, done) => done(refusal(treatment.connection)),
    onRcptTo: ({ address }, _, done) => done(refusal(treatment.recipient?.(address))),
    onData: (stream, session, done) => {
      attempts += 1;
      const { data, hold } = treatment;
      if (data === 'drop') {
        stream.once('data', () => cut(server));
        stream.resume();
        return;
      }
      const chunks: Buffer[] = [];
      stream.on('data', (chunk: Buffer) => chunks.push(chunk));
      stream.on('end', async () => {
        await hold?.();
        if (typeof data === 'number') return done(refusal(data));
        const to = session.envelope.rcptTo[0]!.address;
        mails.push(parse(to, Buffer.concat(chunks).toString('utf8')));
        if (data === 'lose') cut(server);
        else done();
      });
    },
  });
  server.on('error', () => {});
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', () => resolve()));
  const bound = (server.server.address() as AddressInfo).port;
  return {
    url: `smtp://127.0.0.1:${bound}`,
    port: bound,
    mails,
    attempts: () => attempts,
    treat: (next) => {
      treatment = next;
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        cut(server);
      }),
  };
}

function cut(server: SMTPServer): void {
  for (const connection of server.connections as Set<{ _socket?: { destroy(): void } }>) {
    connection._socket?.destroy();
  }
}

function refusal(code: number | null | undefined): Error | null {
  if (code === null || code === undefined) return null;
  return Object.assign(new Error('refused by the test'), { responseCode: code });
}

function parse(to: string, raw: string): ReceivedMail {
  const [head = '', ...rest] = raw.split('\r\n\r\n');
  const headers = head.replace(/\r\n[ \t]+/g, ' ');
  const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'mi').exec(headers)?.[1] ?? '';
  const boundary = /boundary="([^"]+)"/.exec(headers)?.[1] ?? '';
  const parts = rest.join('\r\n\r\n').split(`--${boundary}`);
  const part = (type: string) => decoded(parts.find((each) => each.includes(type)) ?? '');
  return {
    to,
    headers,
    messageId: field('message-id'),
    subject: encodedWords(field('subject')),
    text: part('text/plain'),
    html: part('text/html'),
    at: performance.now(),
  };
}

function decoded(part: string): string {
  const [head = '', ...body] = part.trim().split('\r\n\r\n');
  const text = body.join('\r\n\r\n');
  if (/base64/i.test(head)) return Buffer.from(text, 'base64').toString('utf8');
  return /quoted-printable/i.test(head) ? quotedPrintable(text.replace(/=\r\n/g, '')) : text;
}

function quotedPrintable(text: string): string {
  const bytes = text.replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(bytes, 'latin1').toString('utf8');
}

function encodedWords(text: string): string {
  return text.replace(/=\?UTF-8\?([QB])\?([^?]*)\?=\s*/gi, (_, how, word: string) =>
    how.toUpperCase() === 'B'
      ? Buffer.from(word, 'base64').toString('utf8')
      : quotedPrintable(word.replaceAll('_', ' ')),
  );
}
