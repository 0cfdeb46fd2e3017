/** A mail as it is handed to a server or to the development mailbox. */
export interface OutgoingMail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
  readonly html: string;
  /** The same for each try to deliver it: `<…@…>`. */
  readonly messageId: string;
}

/** Hands a mail over; throws MailRefusal. */
export type SendMail = (mail: OutgoingMail, signal: AbortSignal) => Promise<void>;

/**
 * Why a mail was not taken. `server`: the server does not answer, or takes nothing from us;
 * `later`: it refuses this mail for now; `never`: it refuses it for good.
 */
export type RefusalScope = 'server' | 'later' | 'never';

/** `message` names no address: a server's own words may. */
export class MailRefusal extends Error {
  override readonly name = 'MailRefusal';
  readonly scope: RefusalScope;

  constructor(scope: RefusalScope, message: string) {
    super(message);
    this.scope = scope;
  }
}
