import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type MailWorld, startMailWorld } from './mail-world.ts';

describe('given a worker that sends mails', () => {
  let world: MailWorld;
  beforeAll(async () => {
    world = await startMailWorld();
    await world.startWorker();
  });
  afterAll(() => world.close());

  it('a code reaches the stored address', async () => {
    const { id, email } = await world.api.register();
    const requestId = await world.request(id, 'otp');
    const [mail] = await world.mailsTo(email);
    const code = await world.code(id, requestId);
    expect(mail!.subject).toBe('Your code for latchkey.test');
    expect(mail!.text).toContain(code);
    expect(mail!.html).toContain(code);
    expect(mail!.headers).toContain('Auto-Submitted: auto-generated');
  });
});
