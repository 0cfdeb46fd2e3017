import { readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { type GatewayOptions, startGateway } from '../gateways/gateway.ts';
import { builtCaddy, caddyHere, nginxIn } from '../gateways/programs.ts';
import { expectSafeService } from './expectations.ts';
import type { Service } from './service.ts';
import type { World } from './world.ts';

/** An application that believes its gateway. */
async function startApplication() {
  const server = createServer(({ headers }, response) => {
    response.end(JSON.stringify({ user: headers['x-auth-subject'] }));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    stop: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

const behind =
  (command: GatewayOptions['command'], file: string) =>
  async ({ network, env }: World): Promise<Service> => {
    const application = await startApplication();
    const gateway = await startGateway({
      command,
      latchkeyPort: Number(new URL(network.url).port),
      applicationPort: application.port,
      change: (folder) => demandAudience(path.join(folder, file), env.AUDIENCE),
    });
    return {
      url: `http://127.0.0.1:${gateway.port}`,
      stop: async () => {
        await gateway.stop();
        application.stop();
      },
    };
  };

/** As the pages say it for users who log in for an audience of its own. */
function demandAudience(file: string, audience: string): void {
  const text = readFileSync(file, 'utf8');
  const demanding = text.replace(/(\/auth\/verify\?role=admin)/, `$1&aud=${audience}`);
  if (demanding === text) throw new Error(`${file} demands no role`);
  writeFileSync(file, demanding);
}

expectSafeService('an application behind nginx', behind(nginxIn, 'nginx.conf'), {
  logout: { when: 'at once' },
  outage: { known: [503], unknown: [503] },
});

expectSafeService(
  'an application behind Caddy',
  behind(() => caddyHere(builtCaddy('v2.11.4')), 'Caddyfile'),
  { logout: { when: 'at once' }, outage: { known: [502], unknown: [502] } },
);
