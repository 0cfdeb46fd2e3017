import { z } from 'zod';
import { oneOf, text, url } from '../config/kinds.ts';
import { variable } from '../config/setting.ts';
import { settings } from '../config/topic.ts';
import { environment } from '../environment.ts';
import { needsTls } from './smtp.ts';

const smtpUrl = url(['smtp:', 'smtps:'], 'smtps://latchkey:password@mail.example.com').refine(
  (given) => {
    const parameters = [...(URL.parse(given)?.searchParams ?? [])];
    return parameters.every(
      ([name, value]) => name === 'requireTLS' && /^(?:true|false)$/.test(value),
    );
  },
  'has no parameter but requireTLS=true or requireTLS=false',
);

/** One mailbox, as a header names it; neither quotes nor a list. */
const mailFrom = z
  .string()
  .regex(
    /^(?:[^\s@<>"(),:;]+@[^\s@<>"(),:;]+|[^\p{C}<>@"(),:;]+ <[^\s@<>"(),:;]+@[^\s@<>"(),:;]+>)$/u,
    'must be an address, or a name and an address: Example <no-reply@example.com>',
  );

export const mail = settings(
  'Mail',
  {
    smtpUrl: variable('SMTP_URL', smtpUrl)
      .secret()
      .example('smtps://latchkey:password@mail.example.com')
      .says(
        'The server that takes the mails. `smtp:` demands STARTTLS beyond loopback, unless it ends in `?requireTLS=false`. Absent in dev: `GET /dev/mailbox` shows them. Absent in prod: no mail is sent',
      ),
    from: variable('MAIL_FROM', mailFrom)
      .example('Example <no-reply@example.com>')
      .says('The sender of every mail; needed with `SMTP_URL`'),
    language: variable('MAIL_LANGUAGE', oneOf(['en', 'de']))
      .default('en')
      .says('The language of every mail: `en` or `de`'),
    templates: variable('MAIL_TEMPLATES', text).says(
      'A directory whose files replace those of `templates/mail`; a worker checks them at its start',
    ),
  },
  {
    fill: (given, read) => ({
      /** Whether mails are sent at all: routes that need one exist only then. */
      enabled: given.smtpUrl !== undefined || read(environment).name === 'dev',
    }),
    rules: (own, { read, purpose, refuseIf, warnIf }) => {
      refuseIf(
        own.smtpUrl !== undefined && own.from === undefined && purpose === 'serve',
        'from',
        'must be set when SMTP_URL is: receivers check that the sender is one of your domain',
      );
      warnIf(
        own.smtpUrl?.startsWith('smtp:') === true &&
          read(environment).name === 'prod' &&
          !needsTls(own.smtpUrl),
        'smtpUrl',
        'may be used without TLS: who listens on the way to the server reads codes and links',
      );
    },
  },
);
