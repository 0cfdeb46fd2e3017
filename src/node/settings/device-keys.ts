import { oneOf, seconds } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';

export const deviceKeys = settings('Device keys', {
  nonceSeconds: variable('DPOP_NONCE_SECONDS', seconds(10, 600))
    .default(60)
    .says('How long a nonce for DPoP proofs is current; it is accepted as long again'),
  originalRequest: variable(
    'GATEWAY_REQUEST_HEADERS',
    oneOf(['none', 'x-forwarded', 'x-original'] as const),
  )
    .default('none')
    .says(
      'With which headers your gateways say what the original request was, so that its DPoP proof can be checked: `x-forwarded` or `x-original` (docs/dpop.md). Read from `TRUSTED_PROXIES` only; a gateway must set all of them',
    ),
});
