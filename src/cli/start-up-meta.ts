import type { EventMeta } from '../eventlog/command.ts';

/** The `meta` of what happens before the first request. */
export const startUpMeta: EventMeta = {
  request_id: 'start-up',
  correlation_id: 'start-up',
  actor: null,
};
