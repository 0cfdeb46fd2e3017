import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import type { ProcessAnswer } from '../support/api-process.ts';
import { filesOf } from './page.ts';

type Json = ProcessAnswer['body'];

/** A phone: what its application remembers over a restart is in its keychain. */
export interface Phone {
  /** What a method of the page's session answers; it starts the application if it does not run. */
  ask(method: 'logIn' | 'refresh' | 'call', ...args: string[]): Promise<Json>;
  /** Calls a method, and kills the application as soon as `when` resolves. */
  askAndKill(when: Promise<void>, method: 'refresh'): Promise<void>;
  kill(): Promise<void>;
  /** The problems of which the application was told that they ended its session. */
  readonly ends: readonly Json[];
  keychain(): Json;
  /** Throws the phone away. */
  remove(): Promise<void>;
}

const application = `
import { readFile, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { createSession } from './session.js';

const say = (what) => console.log(JSON.stringify(what));
const [latchkey, deviceName] = process.argv.slice(2);
const session = createSession({
  latchkey,
  keychain: {
    read: () => readFile('keychain', 'utf8').catch(() => null),
    write: (text) => writeFile('keychain', text),
  },
  deviceName,
  onEnd: (end) => say({ end }),
});
for await (const line of createInterface({ input: process.stdin })) {
  const [method, ...args] = JSON.parse(line);
  const answer = await session[method](...args);
  if (method !== 'call') say({ answer });
  else say({ answer: { status: answer.status, body: await answer.json() } });
}
`;

/** A new phone with the file of `mobile-app.md`, and an application around it. */
export function newPhone(latchkey: string, deviceName: string): Phone {
  const folder = mkdtempSync(path.join(tmpdir(), 'latchkey-phone-'));
  const files = { ...filesOf('mobile-app'), 'application.mjs': application };
  writeFileSync(path.join(folder, 'package.json'), '{ "type": "module" }');
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  const ends: Json[] = [];

  function start() {
    const child = spawn(process.execPath, ['application.mjs', latchkey, deviceName], {
      cwd: folder,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    let complaint = '';
    child.stderr.on('data', (text) => (complaint += text));
    const exited = once(child, 'exit');
    let settle: PromiseWithResolvers<Json> | null = null;
    createInterface({ input: child.stdout }).on('line', (line) => {
      const { answer, end } = JSON.parse(line);
      if (end === undefined) settle?.resolve(answer);
      else ends.push(end);
    });
    return {
      exited,
      ask: async (...words: string[]) => {
        settle = Promise.withResolvers<Json>();
        child.stdin.write(`${JSON.stringify(words)}\n`);
        const ended = exited.then(() => Promise.reject(new Error(`it ended: ${complaint}`)));
        return Promise.race([settle.promise, ended]);
      },
      kill: async () => {
        child.kill('SIGKILL');
        await exited;
      },
    };
  }

  let running: ReturnType<typeof start> | null = null;
  const kill = async () => {
    await running?.kill();
    running = null;
  };
  return {
    ends,
    ask: (...words) => {
      running ??= start();
      return running.ask(...words);
    },
    askAndKill: async (when, method) => {
      running ??= start();
      const asked = running.ask(method).catch(() => {});
      await when;
      await kill();
      await asked;
    },
    kill,
    keychain: () => JSON.parse(readFileSync(path.join(folder, 'keychain'), 'utf8')),
    remove: async () => {
      await kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
