import { type FaultNode, until } from './fault-node.ts';
import type { SecretHolders } from './made-secrets.ts';
import { useSecondFactor } from './second-factor-at-rest.ts';
import type { TestSmtp } from './smtp.ts';

interface Account {
  readonly email: string;
  readonly password: string;
}

const mailTimeoutMs = 60_000;

/** People who prove by mail and by an app who they are, and what they were given for it. */
export class ProofHolders {
  readonly #node: FaultNode;
  readonly #holders: SecretHolders;
  readonly #smtp: TestSmtp;
  /** How often each was done. */
  readonly done = { codes: 0, resets: 0, secondFactors: 0, erasures: 0 };

  constructor(node: FaultNode, holders: SecretHolders, smtp: TestSmtp) {
    this.#node = node;
    this.#holders = holders;
    this.#smtp = smtp;
  }

  /** Logs in with a code from a mail: the first proof of the address, which ends the password. */
  async logInByCode({ email }: Account): Promise<void> {
    const { body } = await this.#holders.ask(202, 'POST', '/auth/request-otp', { body: { email } });
    // Six digits stand everywhere by accident, so only the handle that goes with them is searched.
    this.#holders.keep('a request for a code', Buffer.from(body.request_id, 'base64url'));
    const otp = await this.#inMail(email, /^ {4}(\d{6})$/m);
    await this.#logIn({ request_id: body.request_id, otp, device: { type: 'web' } });
    this.done.codes += 1;
  }

  /** Sets a password by the link of a mail; answers how the person logs in from now on. */
  async reset({ email }: Account): Promise<Account> {
    await this.#holders.ask(202, 'POST', '/auth/password/forgot', { body: { email } });
    const token = await this.#inMail(email, /\/auth\/password\/reset#([\w-]+)/);
    this.#holders.keep('the secret of a link', Buffer.from(token, 'base64url').subarray(32));
    const password = this.#holders.newPassword();
    const body = { token, new_password: password };
    await this.#holders.ask(204, 'POST', '/auth/password/reset', { body });
    this.done.resets += 1;
    return { email, password };
  }

  /** Enrols an app and logs in with it. */
  async useSecondFactor(account: Account): Promise<void> {
    const token = await this.#logIn({ ...account, device: { type: 'desktop' } });
    const { secrets, loggedIn } = await useSecondFactor(this.#node, { ...account, token });
    this.#holders.secrets.push(...secrets);
    this.#holders.keepTokens(loggedIn.body, loggedIn.headers);
    this.done.secondFactors += 1;
  }

  async erase({ email, password }: Account): Promise<void> {
    const token = await this.#logIn({ email, password, device: { type: 'tablet' } });
    await this.#holders.ask(204, 'DELETE', '/auth/me', { token, body: { password } });
    this.done.erasures += 1;
  }

  async #logIn(body: object): Promise<string> {
    const answer = await this.#holders.ask(200, 'POST', '/auth/login', { body });
    this.#holders.keepTokens(answer.body, answer.headers);
    return answer.body.access_token;
  }

  async #inMail(email: string, pattern: RegExp): Promise<string> {
    let found: string | undefined;
    await until(async () => {
      const mails = this.#smtp.mails.filter(({ to }) => to === email);
      found = mails.map(({ text }) => pattern.exec(text)?.[1]).find((match) => match !== undefined);
      return found !== undefined;
    }, mailTimeoutMs);
    return found!;
  }
}
