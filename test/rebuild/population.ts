import { createSecretKey, randomBytes } from 'node:crypto';
import { changeClient } from '../../src/app/client/change-client.ts';
import { changeInvite } from '../../src/app/invite/change-invite.ts';
import { changeKeyset } from '../../src/app/keyset/change-keyset.ts';
import { changeSession } from '../../src/app/session/change-session.ts';
import { changeUser } from '../../src/app/user/change-user.ts';
import type { ClientCommand } from '../../src/domain/client/decide.ts';
import { type ClientState, initialClient } from '../../src/domain/client/state.ts';
import type { InviteState } from '../../src/domain/invite/state.ts';
import type { StreamKind } from '../../src/domain/kernel/event.ts';
import { issuerKeysetId } from '../../src/domain/kernel/ids.ts';
import type { KeysetCommand } from '../../src/domain/keyset/decide.ts';
import { initialKeyset, type KeysetState } from '../../src/domain/keyset/state.ts';
import type { SessionCommand } from '../../src/domain/session/decide.ts';
import type { SessionState } from '../../src/domain/session/state.ts';
import type { UserCommand } from '../../src/domain/user/decide.ts';
import { failuresBeforeLock } from '../../src/domain/user/lockout.ts';
import type { UserState } from '../../src/domain/user/state.ts';
import type { CommandRows } from '../../src/eventlog/command.ts';
import { identifierMac } from '../../src/platform/crypto/identifier-index.ts';
import { localKeyWrap } from '../../src/platform/crypto/key-wrap.ts';
import { newId } from '../../src/platform/crypto/new-id.ts';
import { SubjectKeys, sealPersonalData } from '../../src/platform/crypto/subject-cipher.ts';
import { bytea } from '../../src/platform/postgres/bytea.ts';
import type { RebuildOptions } from '../../src/rebuild/rebuild.ts';
import { sessionKeyRows } from '../../src/tables/session-key.ts';
import type { streams } from '../../src/tables/streams.ts';
import { usernameRows } from '../../src/tables/user.ts';
import { testSeal } from '../support/seal.ts';
import {
  deviceKey,
  key,
  keysetCommands,
  newSecretHash,
  newSessionKey,
  refreshCommand,
  userCommands,
} from './ingredients.ts';
import { SeededLog, type Stream } from './seeded-log.ts';
import { logInWithSecondFactor, proveByMail } from './user-stories.ts';

/** Of every noun that there is. */
type AnyCommand = Parameters<(typeof streams)[StreamKind]['decider']['decide']>[1];
type DrawnUserCommand = keyof ReturnType<typeof userCommands>;

const usernameOf = (email: string) => email.replace(/@.*/, '');

export interface SeededSession extends Stream<SessionState> {
  secretHash: string;
  readonly userId: string;
}

const identifierKey = createSecretKey(randomBytes(32));
const subjectKeys = new SubjectKeys({
  keyWrap: localKeyWrap([{ id: 'test', key: randomBytes(32) }]),
  cachedKeysMax: 1_000,
});

export const rebuildKeys: RebuildOptions['keys'] = {
  identifierKey,
  seal: testSeal,
  unwrapSubjectKey: (subjectId, wrapped) => subjectKeys.unwrap(subjectId, wrapped),
};

/** Users, sessions, clients and the keyset, changed at random, as commands change them. */
export class Population extends SeededLog {
  readonly #subjects = new Map<string, Buffer>();
  readonly users: Stream<UserState>[] = [];
  readonly sessions: SeededSession[] = [];
  readonly clients: Stream<ClientState>[] = [];
  readonly invites: Stream<InviteState>[] = [];
  readonly keyset: Stream<KeysetState> = { id: issuerKeysetId, version: 0, state: initialKeyset };
  /**
   * At least one of everything, in every state that a row can have, and every command of a user, so
   * that none of their events is left to chance; then `steps` random changes.
   */
  async grow(steps: number): Promise<void> {
    const generated = [key(), key(), key()];
    const demand = { alg: 'ES256', unusableKids: [] } as const;
    await this.changeKeyset({ type: 'EnsureKeys', now: this.tick(), generated, ...demand });
    for (let count = 0; count < 4; count++) {
      await this.register();
      await this.registerClient();
      await this.#invite();
      await this.start();
    }
    const [unlucky, busy] = this.users;
    for (let count = 0; count < 2 * failuresBeforeLock; count++) {
      const [stranger, device] = this.userCommands(unlucky!).CheckPassword;
      await this.changeUser(unlucky!, count % 2 === 0 ? stranger! : device!);
    }
    const commands: (readonly UserCommand[])[] = Object.values(this.userCommands(busy!));
    for (const command of commands.flat()) await this.changeUser(busy!, command);
    await proveByMail(this, await this.register(false));
    await logInWithSecondFactor(this, await this.register());
    for (const type of ['RotateClientSecret', 'EndOlderSecret'] as const) {
      await this.#changeClientAs(this.clients[0]!, type);
    }
    for (const session of [...this.sessions]) await this.reuse(session);
    await this.bind(await this.start('unbound'));
    await this.end(await this.start(), true);
    await this.stepUp(await this.start('unbound'));
    for (let step = 0; step < steps; step++) await this.step();
  }

  /** One for each command of each union: a new command that nobody draws does not compile. */
  readonly #steps: Readonly<Record<AnyCommand['type'], () => Promise<unknown>>> = {
    RegisterUser: () => this.register(),
    ...this.#userSteps(),
    StartSession: () => this.start(),
    BindDeviceKey: () => this.bind(this.pick(this.sessions)),
    RefreshSession: () =>
      this.random() < 0.8
        ? this.refresh(this.pick(this.sessions))
        : this.reuse(this.pick(this.sessions)),
    RevokeSession: () => this.end(this.pick(this.sessions)),
    StepUpSession: () => this.stepUp(this.pick(this.sessions)),
    ExpireSession: () => this.expire(this.pick(this.sessions)),
    RegisterClient: () => this.registerClient(),
    RotateClientSecret: () => this.#changeClientAtRandom('RotateClientSecret'),
    EndOlderSecret: () => this.#changeClientAtRandom('EndOlderSecret'),
    RaiseClientEpoch: () => this.#changeClientAtRandom('RaiseClientEpoch'),
    DisableClient: () => this.#changeClientAtRandom('DisableClient'),
    EnsureKeys: () => this.#changeKeysAtRandom('EnsureKeys'),
    RotateKeys: () => this.#changeKeysAtRandom('RotateKeys'),
    RevokeKey: () => this.#changeKeysAtRandom('RevokeKey'),
    TickKeys: () => this.#changeKeysAtRandom('TickKeys'),
    CreateInvite: () => this.#invite(),
    TryInvite: () => this.#tryInvite(this.pick(this.invites)),
    UseInvite: () => this.#useInvite(this.pick(this.invites)),
  };

  #userSteps(): Readonly<Record<DrawnUserCommand, () => Promise<void>>> {
    const types = Object.keys(userCommands(0, new Uint8Array())) as DrawnUserCommand[];
    return Object.fromEntries(
      types.map((type) => [type, () => this.#changeUserAtRandom(type)]),
    ) as Record<DrawnUserCommand, () => Promise<void>>;
  }

  /** Refreshes are the most of a real log, too. */
  async step(): Promise<void> {
    const { RefreshSession: refresh } = this.#steps;
    await this.pick([...Object.values(this.#steps), refresh, refresh, refresh])();
  }

  async register(emailVerified = this.random() < 0.5): Promise<Stream<UserState>> {
    const id = newId();
    const { key: subjectKey, wrapped } = await subjectKeys.newSubjectKey(id);
    this.#subjects.set(id, subjectKey);
    const user: Stream<UserState> = { id, version: 0, state: undefined as unknown as UserState };
    const email = `person-${this.users.length}@example.test`;
    await this.changeUser(
      user,
      {
        type: 'RegisterUser',
        now: this.tick(),
        pii: this.#profile(id, email),
        emailVerified,
        hasPassword: true,
        roles: this.random() < 0.5 ? [] : ['editor', 'ops:on-call'],
      },
      {
        credentials: [{ identifier_mac: bytea(identifierMac(identifierKey, email)), user_id: id }],
        ...usernameRows(id, identifierMac(identifierKey, usernameOf(email))),
        subject_keys: [{ subject_id: id, wrapped }],
        password_hashes: [{ user_id: id, hash: 'not a hash' }],
      },
    );
    this.users.push(user);
    return user;
  }

  #profile(userId: string, email: string): Uint8Array {
    return sealPersonalData(this.#subjects.get(userId)!, userId, {
      email,
      username: usernameOf(email),
      name: 'Zoë \\ "Tab"\t',
    });
  }

  async changeUser(user: Stream<UserState>, command: UserCommand, more: CommandRows = {}) {
    const current = user.version === 0 ? null : user;
    await this.append(user, () => changeUser(user.id, current, command), more);
  }

  async start(binding: 'unbound' | 'any' = 'any'): Promise<SeededSession> {
    const { id: userId } = this.pick(this.users);
    const refreshable = this.random() < 0.8;
    const secretHash = newSecretHash();
    const session = { id: newId(), userId, version: 0, secretHash } as SeededSession;
    const ownKey = this.sessions.length % 2 === 0 ? null : { sessionKey: newSessionKey() };
    const command: SessionCommand = {
      type: 'StartSession',
      now: this.tick(),
      userId,
      clientId: this.random() < 0.5 ? null : this.pick(this.clients).id,
      deviceType: refreshable ? 'web' : 'service',
      amr: ['pwd'],
      audience: ['orders', 'with "quotes", commas and \\'],
      scope: 'orders.read\torders.write',
      transport: 'cookie',
      lifetimes: { accessTokenTtlSeconds: 900, sessionTtlSeconds: 86_400, refreshable },
      secretHash: refreshable ? secretHash : null,
      salt: refreshable ? randomBytes(16).toString('base64url') : null,
      pii: sealPersonalData(this.#subjects.get(userId)!, userId, { ip: '192.0.2.1' }),
      ...(binding === 'any' && this.random() < 0.3 ? { deviceKey: deviceKey('dpop') } : {}),
      ...ownKey,
    };
    const secret = ownKey === null ? {} : sessionKeyRows(ownKey.sessionKey.kid, 'not wrapped');
    await this.changeSession(session, command, secret);
    this.sessions.push(session);
    return session;
  }

  async bind(session: SeededSession): Promise<void> {
    const clock = { idleSeconds: 0, sessionTtlSeconds: 86_400 };
    const command = { now: this.tick(), deviceKey: deviceKey('dbsc'), ...clock };
    await this.changeSession(session, { type: 'BindDeviceKey', ...command });
    await this.refresh(session, { keyProven: true });
  }

  async refresh(session: SeededSession, change: { keyProven?: boolean } = {}): Promise<void> {
    const secretHash = newSecretHash();
    const { generation } = session.state;
    const command = refreshCommand(session, this.tick(), { secretHash });
    await this.changeSession(session, { ...command, ...change });
    if (session.state.generation > generation) session.secretHash = secretHash;
  }

  /** A token of two generations ago: every one of them is a reuse. */
  async reuse(session: SeededSession): Promise<void> {
    for (let count = 0; count < 2; count++) await this.refresh(session);
    const { generation } = session.state;
    await this.changeSession(session, {
      ...refreshCommand(session, this.tick(), { secretHash: newSecretHash() }),
      presented: { generation: Math.max(1, generation - 2), secretHash: newSecretHash() },
    });
  }

  async end(session: SeededSession, superseded = this.random() < 0.5): Promise<void> {
    const pii = sealPersonalData(this.#subjects.get(session.userId)!, session.userId, {
      device_name: 'other',
    });
    const now = this.tick();
    await this.changeSession(
      session,
      superseded
        ? { type: 'RevokeSession', now, reason: 'superseded', supersededBy: newId(), pii }
        : { type: 'RevokeSession', now, reason: 'logout' },
    );
  }

  async stepUp(session: SeededSession): Promise<void> {
    await this.changeSession(session, {
      type: 'StepUpSession',
      now: this.tick(),
      amr: ['pwd', 'otp', 'mfa'],
      accessTokenTtlSeconds: 300,
      idleSeconds: 0,
      sessionTtlSeconds: 86_400,
    });
  }

  async expire(session: SeededSession): Promise<void> {
    await this.changeSession(session, {
      type: 'ExpireSession',
      now: this.tick() + (this.random() < 0.5 ? 3_600_000 : 90_000_000),
      idleSeconds: 1800,
    });
  }

  async changeSession(
    session: SeededSession,
    command: SessionCommand,
    more: CommandRows = {},
  ): Promise<void> {
    const current = session.version === 0 ? null : session;
    await this.append(session, () => changeSession(session.id, current, command), more);
  }

  async registerClient(): Promise<void> {
    const client = { id: newId(), version: 0, state: initialClient };
    const confidential = this.clients.length % 3 !== 2;
    await this.#changeClient(client, {
      type: 'RegisterClient',
      now: this.tick(),
      name: 'Orders, "quoted" \\ {braces} — ünïcode',
      kind: confidential ? 'confidential' : 'public',
      audiences: ['orders', 'NULL'],
      scopes: ['orders.read'],
      firstParty: this.random() < 0.5,
      secretHash: confidential ? newSecretHash() : null,
      refreshGraceSeconds: confidential ? 5 : null,
      signing: this.clients.length % 2 === 0 ? null : 'session',
      claims: confidential ? { 'https://x.test/tier': 'gold "\\', ab: [1, true], b: 'ü' } : null,
    });
    this.clients.push(client);
  }

  async #changeClientAtRandom(type: Exclude<ClientCommand['type'], 'RegisterClient'>) {
    await this.#changeClientAs(this.pick(this.clients), type);
  }

  async #changeClientAs(
    client: Stream<ClientState>,
    type: Exclude<ClientCommand['type'], 'RegisterClient'>,
  ) {
    const now = this.tick();
    const command: ClientCommand =
      type === 'RotateClientSecret' ? { type, now, secretHash: newSecretHash() } : { type, now };
    await this.#changeClient(client, command);
  }

  async #changeClient(client: Stream<ClientState>, command: ClientCommand): Promise<void> {
    await this.append(client, () => changeClient(client.id, client, command));
  }

  async #changeUserAtRandom(type: DrawnUserCommand): Promise<void> {
    const user = this.pick(this.users);
    const command = this.pick<UserCommand>(this.userCommands(user)[type]);
    const isPassword = command.type === 'CheckPassword' && user.state.hasPassword;
    const isOther = command.type !== 'CheckPassword';
    await this.changeUser(user, isOther || isPassword ? command : { ...command, matches: false });
  }

  userCommands(user: Stream<UserState>): ReturnType<typeof userCommands> {
    const email = `person-${this.users.indexOf(user)}@example.test`;
    return userCommands(this.tick(), this.#profile(user.id, email));
  }

  async #invite(): Promise<void> {
    const invite = { id: newId(), version: 0 } as Stream<InviteState>;
    const now = this.tick();
    const command = { now, secretHash: 'hash', expiresAt: now + 864e5, createdBy: 'cli' };
    await this.append(invite, () =>
      changeInvite(invite.id, null, { type: 'CreateInvite', ...command }),
    );
    this.invites.push(invite);
  }

  async #tryInvite(invite: Stream<InviteState>): Promise<void> {
    const tried = { now: this.tick(), secretHash: 'hash' };
    await this.append(invite, () =>
      changeInvite(invite.id, invite, { type: 'TryInvite', ...tried }),
    );
  }

  async #useInvite(invite: Stream<InviteState>): Promise<void> {
    const { id: userId } = this.pick(this.users);
    const use = { now: this.tick(), secretHash: 'hash', userId };
    await this.append(invite, () => changeInvite(invite.id, invite, { type: 'UseInvite', ...use }));
  }

  async #changeKeysAtRandom(type: KeysetCommand['type']): Promise<void> {
    const usableKids = this.keyset.state.keys.map((each) => each.kid);
    const commands = keysetCommands(this.tick(), { kid: this.pick(usableKids), usableKids });
    await this.changeKeyset(this.pick<KeysetCommand>(commands[type]));
  }

  async changeKeyset(command: KeysetCommand): Promise<void> {
    await this.append(this.keyset, () => changeKeyset(this.keyset.id, this.keyset, command));
  }
}
