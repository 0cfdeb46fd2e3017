import { serve } from '../../src/cli/serve.ts';
import { worker } from '../../src/cli/worker.ts';

/** What `latchkey serve` and `latchkey worker` run, without the command line in front. */
const [command, option] = process.argv.slice(2);
if (command === 'worker') await worker();
else await serve({ reusePort: option === '--reuse-port' });
