/** The pages behind the links in mails, by their path. */
export const mailLinkPaths = [
  '/auth/verify-email',
  '/auth/password/reset',
  '/auth/email/confirm',
] as const;
export type MailLinkPath = (typeof mailLinkPaths)[number];

export const pageLanguages = ['en', 'de'] as const;
export type PageLanguage = (typeof pageLanguages)[number];

interface PageTexts {
  readonly title: string;
  readonly intro: string;
  readonly label: string;
  readonly button: string;
  readonly done: string;
}

interface CommonTexts {
  readonly invalid: string;
  readonly refused: string;
  readonly failed: string;
  readonly noscript: string;
}

/** What each page asks for beside the token: the name of the field, empty for nothing. */
export const askedField: Readonly<Record<MailLinkPath, string>> = {
  '/auth/verify-email': 'password',
  '/auth/password/reset': 'new_password',
  '/auth/email/confirm': '',
};

export const commonTexts: Readonly<Record<PageLanguage, CommonTexts>> = {
  en: {
    invalid: 'This link is not good any more. Open it from the mail again, or ask for a new one.',
    refused:
      'This password is not accepted: it is too short, or too many people use it. Take a longer one.',
    failed: 'That did not work. Wait a moment and try again.',
    noscript: 'This page needs JavaScript.',
  },
  de: {
    invalid:
      'Dieser Link gilt nicht mehr. Öffnen Sie ihn noch einmal aus der Mail, oder fordern Sie einen neuen an.',
    refused:
      'Dieses Passwort wird nicht angenommen: es ist zu kurz, oder zu viele benutzen es. Nehmen Sie ein längeres.',
    failed: 'Das hat nicht geklappt. Warten Sie einen Moment und versuchen Sie es noch einmal.',
    noscript: 'Diese Seite braucht JavaScript.',
  },
};

export const pageTexts: Readonly<Record<PageLanguage, Readonly<Record<MailLinkPath, PageTexts>>>> =
  {
    en: {
      '/auth/verify-email': {
        title: 'Confirm your e-mail address',
        intro:
          'If you set a password when you registered, repeat it here to keep it. Leave the field empty if you do not know of one.',
        label: 'Password',
        button: 'Confirm',
        done: 'Your address is confirmed. You may close this page.',
      },
      '/auth/password/reset': {
        title: 'Set a new password',
        intro: 'All your sessions end. Log in with the new password afterwards.',
        label: 'New password (at least 15 characters)',
        button: 'Set the password',
        done: 'Your new password is set. You may close this page and log in.',
      },
      '/auth/email/confirm': {
        title: 'Confirm your new e-mail address',
        intro: 'From then on you log in with this address.',
        label: '',
        button: 'Confirm',
        done: 'Your new address is confirmed. You may close this page.',
      },
    },
    de: {
      '/auth/verify-email': {
        title: 'E-Mail-Adresse bestätigen',
        intro:
          'Wenn Sie bei der Registrierung ein Passwort gesetzt haben, wiederholen Sie es, um es zu behalten. Lassen Sie das Feld leer, wenn Sie von keinem wissen.',
        label: 'Passwort',
        button: 'Bestätigen',
        done: 'Ihre Adresse ist bestätigt. Sie können diese Seite schließen.',
      },
      '/auth/password/reset': {
        title: 'Neues Passwort setzen',
        intro: 'Alle Ihre Sitzungen enden. Melden Sie sich danach mit dem neuen Passwort an.',
        label: 'Neues Passwort (mindestens 15 Zeichen)',
        button: 'Passwort setzen',
        done: 'Ihr neues Passwort ist gesetzt. Sie können diese Seite schließen und sich anmelden.',
      },
      '/auth/email/confirm': {
        title: 'Neue E-Mail-Adresse bestätigen',
        intro: 'Von da an melden Sie sich mit dieser Adresse an.',
        label: '',
        button: 'Bestätigen',
        done: 'Ihre neue Adresse ist bestätigt. Sie können diese Seite schließen.',
      },
    },
  };
