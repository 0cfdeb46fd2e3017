import { z } from 'zod';
import { limits } from '../../domain/kernel/limits.ts';
import { oneOf, onOrOff, seconds } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { environment } from '../../platform/environment.ts';
import { mail } from '../../platform/mail/settings.ts';

/** The rules of addresses decide when the administrator is made; `admin@localhost` is one. */
const address = z
  .email({ pattern: z.regexes.unicodeEmail, error: 'must be an e-mail address' })
  .max(limits.identifierCodePointsMax);

const password = z.string().refine((given) => {
  const length = [...given.normalize('NFC')].length;
  return length >= limits.passwordCodePointsMin && length <= limits.passwordCodePointsMax;
}, `must have ${limits.passwordCodePointsMin} to ${limits.passwordCodePointsMax} characters`);

export const administrator = settings(
  'The first administrator',
  {
    email: variable('ADMIN_EMAIL', address).says(
      'Its address; needs `ADMIN_PASSWORD`. Absent in dev: both are generated into a file in `DATA_DIR`',
    ),
    password: variable('ADMIN_PASSWORD', password)
      .secret()
      .says(
        `${limits.passwordCodePointsMin} to ${limits.passwordCodePointsMax} characters. Used once, when the administrator is made`,
      ),
    secondFactor: variable('ADMIN_SECOND_FACTOR', onOrOff).says(
      'Whether `/admin` demands a second factor and a recent authentication. Always on in prod; by default off in dev',
    ),
    authenticationSeconds: variable('ADMIN_AUTHENTICATION_SECONDS', seconds(60, 86_400))
      .default(3600)
      .says('How long after a login or a step-up `/admin` may be used, with `ADMIN_SECOND_FACTOR`'),
  },
  {
    fill: (given, read) => ({
      secondFactor: given.secondFactor ?? read(environment).name === 'prod',
    }),
    rules: ({ email, password, secondFactor }, { read, refuseIf }) => {
      refuseIf(
        secondFactor === false && read(environment).name === 'prod',
        'secondFactor',
        'must not be off in prod',
      );
      refuseIf(
        password !== undefined && email === undefined,
        'email',
        'must be set when ADMIN_PASSWORD is',
      );
      refuseIf(
        email !== undefined && password === undefined,
        'password',
        'must be set when ADMIN_EMAIL is; a start with an administrator who exists needs neither',
      );
    },
  },
);

export const authentication = settings('Recent authentication', {
  recentSeconds: variable('RECENT_AUTHENTICATION_SECONDS', seconds(1, 86_400))
    .default(300)
    .says(
      'How long after a login or a step-up the user may enrol a second factor, change the address without the password and erase the own account. The token of a step-up lives no longer',
    ),
});

export const registration = settings(
  'Registration',
  {
    mode: variable('REGISTRATION', oneOf(['open', 'invite', 'closed'])).says(
      '`open`, `invite` or `closed`. In prod `closed`, and `open` needs `SMTP_URL`',
    ),
  },
  {
    fill: (given, read) => ({
      mode: given.mode ?? (read(environment).name === 'dev' ? 'open' : 'closed'),
    }),
    rules: (own, { read, purpose, refuseIf }) =>
      refuseIf(
        read(environment).name === 'prod' &&
          purpose === 'serve' &&
          own.mode === 'open' &&
          read(mail).smtpUrl === undefined,
        'mode',
        'must be invite or closed in prod without SMTP_URL: open registration needs proof of the address by mail',
      ),
  },
);

export const usernames = settings('User names', {
  enabled: variable('USERNAMES', onOrOff)
    .default(false)
    .says('`on`: users may also have a name, and log in with it in place of the address'),
});
