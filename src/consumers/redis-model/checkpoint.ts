import type { LogName } from '../../eventlog/log-identity.ts';

/** Raised when the entries of an event become others: the model is then built anew. */
const modelVersion = 1;

/** How far the model is, kept in Redis beside it: what loses the one loses the other. */
export interface Checkpoint extends LogName {
  readonly pos: number;
  /**
   * Older events may still be missing. Until the model is whole Redis holds no `latchkey:epoch`, so
   * that nobody takes an absent entry for a live token.
   */
  readonly building: boolean;
}

/** Stands in the place of the checkpoint: somebody deletes the model, or asks for a new one. */
export type Mark = 'clearing' | 'asked';

/** What to do with the Redis that is there. `foreign`: it holds the model of another log. */
export type Beginning =
  | { readonly kind: 'resume'; readonly checkpoint: Checkpoint }
  | { readonly kind: 'rebuild'; readonly why: 'missing' | 'asked' | 'epoch' | 'version' | 'ahead' }
  | { readonly kind: 'foreign'; readonly logId: string };

export function checkpointText({ logId, logEpoch, pos, building }: Checkpoint): string {
  const words = [modelVersion, logId, logEpoch, pos];
  return (building ? [...words, 'building'] : words).join(' ');
}

/** `id` tells this mark from every other. */
export function markText(mark: Mark, { logId }: Pick<LogName, 'logId'>, id: string): string {
  return [mark, logId, id].join(' ');
}

/** What stands in `latchkey:epoch` beside this checkpoint; null while the model is not whole. */
export function epochBeside({ building, logEpoch }: Checkpoint): string | null {
  return building ? null : logEpoch;
}

/**
 * The checkpoint after the events up to `pos`. `caughtUpTo`: the settled position up to which
 * nothing is left to read, null while something is. A model that is being built is whole once that
 * has reached `head`, the last position that was drawn before the building began.
 */
export function advanced(
  from: Checkpoint,
  to: { readonly pos: number; readonly caughtUpTo: number | null; readonly head: number },
): Checkpoint {
  const isWhole = to.caughtUpTo !== null && to.caughtUpTo >= to.head;
  return { ...from, pos: to.pos, building: from.building && !isWhole };
}

/** Null for what no release wrote. */
function parse(text: string): (Checkpoint & { readonly version: number }) | null {
  const [, version, logId, logEpoch, pos, building] =
    /^(\d{1,6}) ([0-9a-f-]{36}) ([0-9a-f-]{36}) (\d{1,15})( building)?$/.exec(text) ?? [];
  if (version === undefined) return null;
  return {
    ...{ version: Number(version), logId: logId!, logEpoch: logEpoch! },
    ...{ pos: Number(pos), building: building !== undefined },
  };
}

function parseMark(text: string): { readonly mark: Mark; readonly logId: string } | null {
  const [, mark, logId] = /^(clearing|asked) ([0-9a-f-]{36}) [0-9a-f-]{36}$/.exec(text) ?? [];
  return mark === undefined ? null : { mark: mark as Mark, logId: logId! };
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
  if (found === null) return beginningAtMark(text === null ? null : parseMark(text), log);
  const { version, ...checkpoint } = found;
  if (checkpoint.logId !== log.logId) return { kind: 'foreign', logId: checkpoint.logId };
  if (checkpoint.logEpoch !== log.logEpoch || epoch !== epochBeside(checkpoint)) {
    return { kind: 'rebuild', why: 'epoch' };
  }
  if (version !== modelVersion) return { kind: 'rebuild', why: 'version' };
  return checkpoint.pos > head ? { kind: 'rebuild', why: 'ahead' } : { kind: 'resume', checkpoint };
}

function beginningAtMark(
  found: { readonly mark: Mark; readonly logId: string } | null,
  { logId }: LogName,
): Beginning {
  if (found !== null && found.logId !== logId) return { kind: 'foreign', logId: found.logId };
  return { kind: 'rebuild', why: found?.mark === 'asked' ? 'asked' : 'missing' };
}
