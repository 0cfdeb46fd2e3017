import { changeOf } from '../../tables/change.ts';
import { streams } from '../../tables/streams.ts';

/** Decides a command on an invite. */
export const changeInvite = changeOf(streams.invite);
