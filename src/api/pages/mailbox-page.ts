import type { IncomingHttpHeaders } from 'node:http';
import { z } from 'zod';
import { isLoopback } from '../../platform/address.ts';
import { escapeHtml } from '../../platform/escape-html.ts';
import type { DevelopmentMailbox, ReceivedMail } from '../../platform/mail/mailbox.ts';
import { none } from '../http/auth.ts';
import { type Reply, reply } from '../http/reply.ts';
import { type Route, route } from '../http/route.ts';

const htmlType = 'text/html; charset=utf-8';

const mailboxSchema = z.object({
  mails: z.array(
    z.object({
      at: z.iso.datetime(),
      to: z.string(),
      subject: z.string(),
      text: z.string(),
      html: z.string(),
    }),
  ),
});

/**
 * What Latchkey would have mailed, for a developer without a mail server. Never in prod. It answers
 * only a request for this machine or the host of the `issuer`: else a page on a host of its own,
 * which it lets resolve to this machine, could read it (DNS rebinding).
 */
export function mailboxRoutes(mailbox: DevelopmentMailbox, issuer: string): Route[] {
  return [
    route({
      method: 'get',
      path: '/dev/mailbox',
      summary: 'The last 50 mails, newest first',
      description:
        'In dev without `SMTP_URL`, from `npm start` only: who reads it can log in as anybody. A page with links, or JSON with `Accept: application/json`.',
      tags: ['Operation'],
      auth: none,
      responses: {
        200: { description: 'The mails, or a page', schema: mailboxSchema },
        403: {
          description: 'Asked for under another host than a loopback one or that of `ISSUER`',
          contentType: 'text/html',
        },
      },
      handler: ({ headers }) =>
        isOurHost(headers.host, issuer) ? answer(mailbox.mails, headers) : otherHost(issuer),
    }),
  ];
}

/** `host`: as the header has it, with or without a port. */
function isOurHost(host: string | undefined, issuer: string): boolean {
  if (host === undefined || !/^[\w.:[\]-]+$/.test(host) || !URL.canParse(`http://${host}`)) {
    return false;
  }
  const { hostname } = new URL(`http://${host}`);
  return isLoopback(hostname.replace(/^\[|\]$/g, '')) || hostname === new URL(issuer).hostname;
}

function otherHost(issuer: string): Reply {
  const url = escapeHtml(`${issuer}/dev/mailbox`);
  const page = pageWith(`<h1>Not under this host</h1>
<p>The mails are shown at <a href="${url}">${url}</a>, and on this machine under localhost or
127.0.0.1. Under another host, a page of somebody else could read them.</p>`);
  return reply(403, page, { 'content-type': htmlType });
}

function answer(mails: readonly ReceivedMail[], headers: IncomingHttpHeaders): Reply {
  if (headers.accept?.includes('application/json') === true) {
    const shown = mails.map(({ at, to, subject, text, html }) => ({
      ...{ at: new Date(at).toISOString(), to, subject, text, html },
    }));
    return reply(200, { mails: shown }, { vary: 'Accept' });
  }
  return reply(200, pageOf(mails), { 'content-type': htmlType, vary: 'Accept' });
}

function pageOf(mails: readonly ReceivedMail[]): string {
  const articles = mails.map(articleOf).join('\n<hr>\n');
  return pageWith(`<h1>Mails</h1>
<p>What Latchkey would have sent: set SMTP_URL to send it. Newest first, at most 50.</p>
${articles === '' ? '<p>No mail yet.</p>' : articles}`);
}

function pageWith(body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Mails of Latchkey</title>
</head>
<body>
${body}
</body>
</html>
`;
}

function articleOf({ at, to, subject, text }: ReceivedMail): string {
  return `<article>
<h2>${escapeHtml(subject)}</h2>
<p>To ${escapeHtml(to)}, ${new Date(at).toISOString()}</p>
<pre>${linked(text)}</pre>
</article>`;
}

/** What stands between the links is escaped, and so are they. */
function linked(text: string): string {
  return text
    .split(/(https?:\/\/\S+)/)
    .map((piece, index) => {
      const shown = escapeHtml(piece);
      return index % 2 === 0 ? shown : `<a href="${shown}">${shown}</a>`;
    })
    .join('');
}
