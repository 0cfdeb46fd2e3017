import { createTransport, type NodemailerError } from 'nodemailer';
import { isLoopback } from '../address.ts';
import { MailRefusal, type OutgoingMail, type RefusalScope, type SendMail } from './message.ts';

export interface SmtpOptions {
  /** `smtp:` (STARTTLS) or `smtps:`, with user and password if the server wants them. */
  readonly url: string;
  readonly from: string;
}

export interface Smtp {
  readonly send: SendMail;
  /** Ends the connections, those that deliver included. */
  close(): void;
}

const smtpConnectionsMax = 5;
const contactMs = 5_000;
const silenceMs = 20_000;
/** For a server that answers, but one byte at a time. */
const deliveryMs = 60_000;

/**
 * Sends by SMTP over a pool of connections. Without TLS only to loopback, or where the URL says
 * `?requireTLS=false`: whoever listens on the way would read codes and links.
 */
export function openSmtp({ url, from }: SmtpOptions): Smtp {
  const { hostname, port, username, password, protocol } = new URL(url);
  const transport = createTransport({
    pool: true,
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    ...(port === '' ? {} : { port: Number(port) }),
    secure: protocol === 'smtps:',
    requireTLS: protocol === 'smtp:' && needsTls(url),
    ...(username === ''
      ? {}
      : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    maxConnections: smtpConnectionsMax,
    maxMessages: 100,
    // A message whose connection broke is our job's to send again.
    maxRequeues: 0,
    connectionTimeout: contactMs,
    greetingTimeout: contactMs,
    dnsTimeout: contactMs,
    socketTimeout: silenceMs,
    idleTimeout: 10_000,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  // Each failure also reaches the message that it concerns.
  transport.on('error', () => {});
  const send: SendMail = async (mail, signal) => {
    const deadline = AbortSignal.any([signal, AbortSignal.timeout(deliveryMs)]);
    try {
      await transport.sendMail({ ...fieldsOf(mail, from), signal: deadline });
    } catch (error) {
      throw refusalOf(error as NodemailerError);
    }
  };
  return { send, close: () => transport.close() };
}

/** Whether a connection to this server must be encrypted. */
export function needsTls(url: string): boolean {
  const { hostname, searchParams } = new URL(url);
  return searchParams.get('requireTLS') !== 'false' && !isLoopback(hostname);
}

function fieldsOf({ to, subject, text, html, messageId }: OutgoingMail, from: string) {
  return {
    from,
    // As an object: nothing in it is read as a list of recipients.
    to: { name: '', address: to },
    ...{ subject, text, html, messageId },
    headers: {
      // RFC 3834: no out-of-office reply comes back.
      'auto-submitted': 'auto-generated',
      'x-auto-response-suppress': 'All',
    },
  };
}

function refusalOf(error: NodemailerError): MailRefusal {
  const { code, command, responseCode, response = '' } = error;
  const enhanced = /\b[245]\.\d{1,3}\.\d{1,3}\b/.exec(response)?.[0];
  const words = [code ?? error.name, command, responseCode, enhanced];
  const reason = words.filter((word) => word !== undefined).join(' ');
  return new MailRefusal(scopeOf(error), reason);
}

/** Only what was said of this recipient or this message is about this mail. */
function scopeOf({ code, command, responseCode, permanent }: NodemailerError): RefusalScope {
  if (code === 'EENVELOPE' && responseCode === undefined) return 'never';
  if (responseCode === undefined || responseCode === 421) return 'server';
  const isAboutMail = /^(?:RCPT TO|DATA|MAIL FROM)/.test(command ?? '');
  if (!isAboutMail) return 'server';
  return permanent === true && command !== 'MAIL FROM' ? 'never' : 'later';
}
