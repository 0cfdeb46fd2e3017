import { accept, type Decider, type Decision } from '../kernel/decider.ts';
import { LatchkeyError } from '../kernel/errors.ts';
import { limits } from '../kernel/limits.ts';
import type { Signing } from '../session/session-key.ts';
import { type CustomClaims, customClaimProblems, sortedClaims } from './custom-claims.ts';
import type { ClientEvent } from './events.ts';
import { type ClientState, evolveClient, initialClient } from './state.ts';

/** `secretHash` is null exactly for a public client. */
export interface RegisterClient {
  readonly type: 'RegisterClient';
  readonly now: number;
  readonly name: string;
  readonly kind: 'confidential' | 'public';
  readonly audiences: readonly string[];
  readonly scopes: readonly string[];
  readonly firstParty: boolean;
  readonly secretHash: string | null;
  /** Null: what a node is configured for. */
  readonly refreshGraceSeconds: number | null;
  readonly signing: Signing | null;
  /** null: none. */
  readonly claims: CustomClaims | null;
}

/** The previous secret stays valid until the next rotation. */
export interface RotateClientSecret {
  readonly type: 'RotateClientSecret';
  readonly now: number;
  readonly secretHash: string;
}

/** Ends the older of two secrets; where there is one, nothing happens. */
export interface EndOlderSecret {
  readonly type: 'EndOlderSecret';
  readonly now: number;
}

/** Ends every access token that the client has, those of its sessions too, which refresh. */
export interface RaiseClientEpoch {
  readonly type: 'RaiseClientEpoch';
  readonly now: number;
}

export interface DisableClient {
  readonly type: 'DisableClient';
  readonly now: number;
}

export type ClientCommand =
  | RegisterClient
  | RotateClientSecret
  | EndOlderSecret
  | RaiseClientEpoch
  | DisableClient;

/** Throws `conflict`, `invalid_request`, `not_found`. */
export const clientDecider: Decider<ClientState, ClientCommand, ClientEvent> = {
  initialState: initialClient,
  evolve: evolveClient,
  decide: decideClient,
};

/** scope-token and, for want of a stricter rule, audience: RFC 6749 section 3.3. */
const visibleToken = /^[\x21\x23-\x5b\x5d-\x7e]{1,256}$/;

/** Whether a token may be for this audience: 1 to 256 visible ASCII characters, no quote, no `\`. */
export function isAudience(text: string): boolean {
  return visibleToken.test(text);
}
const nameCodePointsMax = limits.profileTextCodePointsMax;

function decideClient(state: ClientState, command: ClientCommand): Decision<ClientEvent> {
  switch (command.type) {
    case 'RegisterClient':
      return register(state, command);
    case 'RotateClientSecret':
      return rotateSecret(state, command);
    case 'EndOlderSecret':
      requireSecrets(state);
      if (state.secretHashes.length < 2) return accept();
      return accept({ type: 'ClientSecretEnded', data: { at: command.now } });
    case 'RaiseClientEpoch':
      requireActive(state);
      return accept({
        type: 'ClientEpochRaised',
        data: { at: command.now, epoch: state.epoch + 1 },
      });
    case 'DisableClient':
      if (state.status === 'none') throw new LatchkeyError('not_found');
      if (state.status === 'disabled') return accept();
      return accept({
        type: 'ClientDisabled',
        data: { at: command.now, epoch: state.epoch + 1 },
      });
  }
}

function register(state: ClientState, command: RegisterClient): Decision<ClientEvent> {
  const { now, name, kind, firstParty, secretHash, refreshGraceSeconds, signing } = command;
  const claims = command.claims === null ? {} : sortedClaims(command.claims);
  if (state.status !== 'none') throw new LatchkeyError('conflict');
  if ((kind === 'confidential') !== (secretHash !== null)) {
    throw new Error('a confidential client, and no other, has a secret');
  }
  const audiences = [...new Set(command.audiences)];
  const scopes = [...new Set(command.scopes)];
  const errors = [
    ...(isName(name) ? [] : [{ path: 'name', message: 'not a name' }]),
    ...listProblems('audiences', audiences, limits.audiencesPerClientMax),
    ...listProblems('scopes', scopes, limits.scopesPerClientMax),
    ...customClaimProblems(claims),
  ];
  if (errors.length > 0) throw new LatchkeyError('invalid_request', { errors });
  return accept({
    type: 'ClientRegistered',
    data: {
      ...{ at: now, name, kind, audiences, scopes, firstParty, secretHash },
      ...(refreshGraceSeconds === null ? {} : { refreshGraceSeconds }),
      ...(signing === null ? {} : { signing }),
      ...(Object.keys(claims).length === 0 ? {} : { claims }),
    },
  });
}

function rotateSecret(state: ClientState, command: RotateClientSecret): Decision<ClientEvent> {
  requireSecrets(state);
  return accept({
    type: 'ClientSecretRotated',
    data: { at: command.now, secretHash: command.secretHash },
  });
}

function requireActive({ status }: ClientState): void {
  if (status === 'none') throw new LatchkeyError('not_found');
  if (status === 'disabled') {
    throw new LatchkeyError('conflict', { detail: 'the client is disabled' });
  }
}

function requireSecrets(state: ClientState): void {
  requireActive(state);
  if (state.kind === 'public') {
    throw new LatchkeyError('conflict', { detail: 'a public client has no secret' });
  }
}

function isName(name: string): boolean {
  const length = [...name].length;
  return length > 0 && length <= nameCodePointsMax && name.isWellFormed() && !/\p{Cc}/u.test(name);
}

function listProblems(
  path: string,
  list: readonly string[],
  most: number,
): { path: string; message: string }[] {
  if (list.length > most) return [{ path, message: `at most ${most}` }];
  return list.flatMap((entry, index) =>
    visibleToken.test(entry)
      ? []
      : [{ path: `${path}.${index}`, message: 'visible ASCII without quote and backslash' }],
  );
}
