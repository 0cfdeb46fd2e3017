import { tickIssuerKeys } from '../../app/keyset/tick-issuer-keys.ts';
import type { NextRotation } from '../../domain/keyset/schedule.ts';
import type { JobContext } from '../job.ts';
import type { Loop } from '../loop.ts';

const lookMs = 60_000;

/** Rotates the issuer keys by their schedule and removes those whose last token has expired. */
export function tickKeys(): Loop {
  let said = '';
  const sayWhatWaits = ({ at, waitsFor }: NextRotation, log: JobContext['log']) => {
    const saying = waitsFor === null ? '' : `${waitsFor} ${at}`;
    if (saying !== '' && saying !== said) {
      const until = at === null ? null : new Date(at).toISOString();
      log.warn({ waits_for: waitsFor, until }, 'the next rotation of the issuer key waits');
    }
    said = saying;
  };
  return {
    name: 'keys.tick',
    run: async (context) => {
      const { log, metrics, by, now } = context;
      const { removedKids, rotation, next } = await tickIssuerKeys(context, by);
      if (removedKids.length > 0) log.info({ kids: removedKids }, 'retired keys removed');
      if (rotation !== null) {
        log.info(rotation, 'issuer key rotated');
        metrics.keyRotations.inc();
      }
      sayWhatWaits(next, log);
      return next.at === null ? lookMs : next.at - now();
    },
  };
}
