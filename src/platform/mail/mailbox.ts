import type { OutgoingMail, SendMail } from './message.ts';

export interface ReceivedMail extends OutgoingMail {
  /** Epoch milliseconds. */
  readonly at: number;
}

const mailsMax = 50;

/** Keeps the last 50 mails in memory, for a developer who has no mail server. */
export class DevelopmentMailbox {
  #mails: readonly ReceivedMail[] = [];

  /** Newest first. */
  get mails(): readonly ReceivedMail[] {
    return this.#mails;
  }

  readonly send: SendMail = async (mail) => {
    this.#mails = [{ ...mail, at: Date.now() }, ...this.#mails].slice(0, mailsMax);
  };
}
