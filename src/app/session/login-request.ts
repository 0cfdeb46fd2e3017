import type { DeviceType } from '@latchkey/contract/device-type';
import { invalidField, LatchkeyError } from '../../domain/kernel/errors.ts';
import { requireRoomForAudiences } from '../../domain/kernel/token-room.ts';
import type { ProvenKey } from '../../node/dpop-proofs.ts';
import type { Node } from '../../node/node.ts';
import { authenticateClient } from '../client/authenticate-client.ts';

/** What a login says of the session that it wants, whatever proves who the person is. */
export interface LoginRequest {
  readonly device: { readonly type: DeviceType; readonly name: string };
  readonly transport: 'body' | 'cookie';
  readonly clientId: string | null;
  readonly clientSecret: string | null;
  /** The audiences that the caller asks for; null asks for the default. */
  readonly audience: readonly string[] | null;
  /** What an earlier login of this device was given; null for a stranger. */
  readonly deviceToken: string | null;
  /** The key that the request has proved: the session is bound to it. */
  readonly key: ProvenKey | null;
}

/**
 * The audiences asked for, and nothing else, if the client may have them all; decided before the
 * identifier is looked at. Only our own clients log people in (RFC 9700 section 2.4).
 */
export function grantedAudience(
  { config, memory }: Pick<Node, 'config' | 'memory'>,
  request: Pick<LoginRequest, 'clientId' | 'clientSecret' | 'audience'>,
): readonly string[] {
  const { clientId, clientSecret } = request;
  const client = clientId === null ? null : authenticateClient(memory, { clientId, clientSecret });
  if (client !== null && !client.firstParty) {
    throw new LatchkeyError('forbidden', { detail: 'a third party logs nobody in' });
  }
  const { defaultAudience, issuer } = config.tokens;
  const allowed = client?.audiences ?? [defaultAudience, issuer];
  const wanted = request.audience ?? [client?.audiences[0] ?? defaultAudience];
  if (!wanted.every((audience) => allowed.includes(audience))) {
    throw invalidField('audience', 'not an audience that this client may request');
  }
  const audience = [...new Set(wanted)];
  requireRoomForAudiences(audience);
  return audience;
}
