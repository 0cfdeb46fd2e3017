import type { LogName } from '../../eventlog/log-identity.ts';

/** Raised when the entries of an event become others: the model is then built anew. */
const modelVersion = 1;

/** How far the model is, kept in Redis beside it: what loses the one loses the other. */
export interface Checkpoint extends LogName {
  readonly pos: number;
}

/** What to do with the Redis that is there. `foreign`: it holds the model of another log. */
export type Beginning =
  | { readonly kind: 'resume'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'rebuild'; readonly why: 'missing' | 'epoch' | 'version' | 'ahead' }
  | { readonly kind: 'foreign'; readonly logId: string };

export function checkpointText({ logId, logEpoch, pos }: Checkpoint): string {
  return [modelVersion, logId, logEpoch, pos].join(' ');
}

/** Null for what no release wrote. */
function parse(text: string): (Checkpoint & { readonly version: number }) | null {
  const [, version, logId, logEpoch, pos] =
    /^(\d{1,6}) ([0-9a-f-]{36}) ([0-9a-f-]{36}) (\d{1,15})$/.exec(text) ?? [];
  if (version === undefined) return null;
  return { version: Number(version), logId: logId!, logEpoch: logEpoch!, pos: Number(pos) };
}

/** The position of a checkpoint of this log and epoch; null for any other. */
export function positionIn(text: string | null, { logId, logEpoch }: LogName): number | null {
  const found = text === null ? null : parse(text);
  return found !== null && found.logId === logId && found.logEpoch === logEpoch ? found.pos : null;
}

/**
 * Where to begin with a Redis whose checkpoint is `text` and whose `latchkey:epoch` is `epoch`; the
 * log's last position is `head`. A model that is older than this process remembers is good: Redis
 * went back in time as a whole.
 */
export function beginningOf(
  { text, epoch }: { readonly text: string | null; readonly epoch: string | null },
  log: LogName,
  head: number,
): Beginning {
  const found = text === null ? null : parse(text);
  if (found === null) return { kind: 'rebuild', why: 'missing' };
  const { version, ...checkpoint } = found;
  if (checkpoint.logId !== log.logId) return { kind: 'foreign', logId: checkpoint.logId };
  if (checkpoint.logEpoch !== log.logEpoch || epoch !== log.logEpoch) {
    return { kind: 'rebuild', why: 'epoch' };
  }
  if (version !== modelVersion) return { kind: 'rebuild', why: 'version' };
  return checkpoint.pos > head ? { kind: 'rebuild', why: 'ahead' } : { kind: 'resume', checkpoint };
}
