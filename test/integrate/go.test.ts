import { expectSafeService } from './expectations.ts';
import { filesOf } from './page.ts';
import { startService } from './service.ts';

expectSafeService(
  'Go with public keys',
  ({ env }) => startService({ page: 'go', files: filesOf('go'), env }),
  {
    logout: { when: 'at its end', leewaySeconds: 5 },
    outage: { known: [200], unknown: [200] },
  },
);
