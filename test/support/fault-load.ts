import type { Acknowledgements, SessionRecord } from './acknowledgements.ts';
import { type Answer, type FaultNode, faultPassword } from './fault-node.ts';

type Callable = Pick<FaultNode, 'call'>;

/**
 * One person at a keyboard: logs in, refreshes and logs out, one thing at a time, on whichever node
 * is there.
 */
export class LoadClient {
  readonly #email: string;
  readonly #acknowledgements: Acknowledgements;
  readonly #live: SessionRecord[] = [];
  readonly #unexpected: string[];
  #stopped = false;

  constructor(email: string, acknowledgements: Acknowledgements, unexpected: string[]) {
    this.#email = email;
    this.#acknowledgements = acknowledgements;
    this.#unexpected = unexpected;
  }

  async run(nodes: readonly Callable[]): Promise<void> {
    this.#stopped = false;
    while (!this.#stopped) {
      const node = nodes[Math.floor(Math.random() * nodes.length)]!;
      const dice = Math.random();
      const session = this.#live[Math.floor(Math.random() * this.#live.length)];
      if (session === undefined || dice < 0.25) await this.#logIn(node);
      else if (dice < 0.8) await this.#refresh(node, session);
      else await this.#logOut(node, session);
    }
  }

  stop(): void {
    this.#stopped = true;
  }

  async #logIn(node: Callable): Promise<void> {
    const deviceType = Math.random() < 0.5 ? 'web' : 'mobile';
    if (deviceType === 'mobile') this.#acknowledgements.maySupersede(this.#email, deviceType);
    const body = { email: this.#email, password: faultPassword, device: { type: deviceType } };
    const answer = await this.#send(200, node.call('POST', '/auth/login', { body }));
    if (answer === null) return;
    this.#live.push(this.#acknowledgements.loggedIn(this.#email, deviceType, answer.body));
    if (deviceType === 'mobile') this.#forget((record) => record.maybeSuperseded);
    if (this.#live.length > 8) this.#live.shift();
  }

  async #refresh(node: Callable, session: SessionRecord): Promise<void> {
    const body = { refresh_token: session.refreshToken };
    const answer = await this.#send(
      200,
      node.call('POST', '/auth/refresh', { body }),
      session.maybeSuperseded ? 401 : 200,
    );
    if (answer === null) return;
    if (answer.status === 401) this.#forget((record) => record === session);
    else this.#acknowledgements.refreshed(session, answer.body);
  }

  async #logOut(node: Callable, session: SessionRecord): Promise<void> {
    session.logoutSent = true;
    const body = { refresh_token: session.refreshToken };
    const answer = await this.#send(204, node.call('POST', '/auth/logout', { body }));
    this.#forget((record) => record === session);
    if (answer !== null) this.#acknowledgements.loggedOut(session);
  }

  /** Null when nobody answered, or with `unavailable`: then it may have happened or not. */
  async #send(good: number, sent: Promise<Answer>, alsoGood = good): Promise<Answer | null> {
    const { counts } = this.#acknowledgements;
    let answer: Answer;
    try {
      answer = await sent;
    } catch {
      counts.unanswered += 1;
      // A node that is gone refuses at once: do not spin on it.
      await new Promise((resolve) => setTimeout(resolve, 5));
      return null;
    }
    if (answer.status === good || answer.status === alsoGood) return answer;
    if (answer.status === 503) counts.unavailable += 1;
    else this.#unexpected.push(`${answer.status} ${JSON.stringify(answer.body)}`);
    return null;
  }

  #forget(which: (record: SessionRecord) => boolean): void {
    for (let at = this.#live.length - 1; at >= 0; at -= 1) {
      if (which(this.#live[at]!)) this.#live.splice(at, 1);
    }
  }
}
