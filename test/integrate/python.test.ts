import { expectSafeService } from './expectations.ts';
import { filesOf } from './page.ts';
import { startService } from './service.ts';

expectSafeService(
  'FastAPI with public keys',
  ({ env }) => startService({ page: 'python', files: filesOf('python'), env }),
  {
    logout: { when: 'at its end', leewaySeconds: 5 },
    outage: { known: [200], unknown: [200] },
  },
);
