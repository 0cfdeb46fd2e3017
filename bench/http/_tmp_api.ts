import { serve } from '../../src/cli/serve.ts';

await serve({});
