import { changeOf } from '../../tables/change.ts';
import { streams } from '../../tables/streams.ts';

/** Decides a command on the keyset. */
export const changeKeyset = changeOf(streams.keyset);
