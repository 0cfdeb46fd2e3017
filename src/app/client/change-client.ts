import { changeOf } from '../../tables/change.ts';
import { streams } from '../../tables/streams.ts';

/** Decides a command on a client. */
export const changeClient = changeOf(streams.client);
