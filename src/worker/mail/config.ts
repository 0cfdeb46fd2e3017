import type { Config } from '../../node/config.ts';
import type { MailConfig } from './start.ts';

/** What mails need of the configuration; nothing where none is sent. */
export function mailConfigOf({ mail, tokens }: Pick<Config, 'mail' | 'tokens'>): {
  mail?: MailConfig;
} {
  return mail.enabled ? { mail: { ...mail, issuer: tokens.issuer } } : {};
}
