import type { IssuedTokens } from '../../app/session/token-set.ts';
import { setDeviceCookie, setRefreshCookie } from '../http/cookies.ts';
import { type Reply, reply } from '../http/reply.ts';

/** A TokenSet, with the refresh and the device token in cookies when the session asked for that. */
export function tokenReply(issued: IssuedTokens): Reply {
  const { refreshToken, deviceToken, transport, body, refreshExpiresInSeconds } = issued;
  if (transport === 'body') return reply(200, body);
  const cookies = [
    ...(refreshToken === null ? [] : [setRefreshCookie(refreshToken, refreshExpiresInSeconds)]),
    ...(deviceToken === null ? [] : [setDeviceCookie(deviceToken)]),
  ];
  return reply(200, body, cookies.length === 0 ? undefined : { 'set-cookie': cookies });
}
