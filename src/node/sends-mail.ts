import type { Config } from './config.ts';

/** Whether mail reaches people: then a registration tells nobody else whether an address is known. */
export function sendsMail(config: Pick<Config, 'mail'>): boolean {
  return config.mail.smtpUrl !== undefined;
}
