import { LatchkeyError } from '../../domain/kernel/errors.ts';
import type { Node } from '../../node/node.ts';

/** Does `work` and counts how it ended: as `resultOf` says, or by the code of its refusal. */
export async function countedBinding<Done>(
  { metrics }: Pick<Node, 'metrics'>,
  step: 'registration' | 'refresh',
  work: () => Promise<Done>,
  resultOf: (done: Done) => string,
): Promise<Done> {
  const count = (result: string) => metrics.deviceBinding.inc({ step, result });
  try {
    const done = await work();
    count(resultOf(done));
    return done;
  } catch (error) {
    if (error instanceof LatchkeyError) count(error.code);
    throw error;
  }
}
