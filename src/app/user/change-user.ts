import { changeOf } from '../../tables/change.ts';
import { streams } from '../../tables/streams.ts';

/** Decides a command on a user. */
export const changeUser = changeOf(streams.user);
