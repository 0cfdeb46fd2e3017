import { changeOf } from '../../tables/change.ts';
import { streams } from '../../tables/streams.ts';

/** Decides a command on a session. */
export const changeSession = changeOf(streams.session);
