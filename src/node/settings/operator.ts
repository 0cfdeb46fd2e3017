import { z } from 'zod';
import { isLoopback } from '../../platform/address.ts';
import { host, integer, port } from '../../platform/config/kinds.ts';
import { variable } from '../../platform/config/setting.ts';
import { settings } from '../../platform/config/topic.ts';
import { environment } from '../../platform/environment.ts';
import { http } from './http.ts';

const portMax = 65_535;

/** `step` above another port; any free one where that is any, or there is no such port. */
const portAbove = (other: number, step: number) =>
  other === 0 || other + step > portMax ? 0 : other + step;

export const metrics = settings(
  'Metrics',
  {
    port: variable('METRICS_PORT', port).says('Metrics on loopback; by default `PORT` + 1000'),
    token: variable('METRICS_TOKEN', z.string().min(16, 'must have at least 16 characters'))
      .secret()
      .says("With it, `GET /metrics` also on the main port and beyond a worker's loopback"),
  },
  {
    fill: (given, read) => ({ port: given.port ?? portAbove(read(http).port, 1000) }),
    rules: (own, { read, refuseIf }) =>
      refuseIf(
        own.port === read(http).port && own.port !== 0,
        'port',
        'must be a port other than PORT',
      ),
  },
);

export const worker = settings(
  'The worker',
  {
    host: variable('WORKER_HOST', host).says(
      'Where a worker answers `/healthz`, `/readyz` and `/metrics`; by default `HOST`',
    ),
    port: variable('WORKER_PORT', port).says('By default `METRICS_PORT` + 1'),
    partitionPositions: variable('PARTITION_POSITIONS', integer(1_000_000, 1_000_000_000))
      .default(20_000_000)
      .says(
        'How many positions of the log each new partition of sessions holds. Wider ones make fewer',
      ),
  },
  {
    fill: (given, read) => ({
      host: given.host ?? read(http).host,
      port: given.port ?? portAbove(read(metrics).port, 1),
    }),
    rules: (own, { read, refuseIf }) => {
      refuseIf(
        own.port !== 0 && [read(http).port, read(metrics).port].includes(own.port),
        'port',
        'must be a port other than PORT and METRICS_PORT',
      );
      refuseIf(
        read(environment).name === 'dev' && own.host !== read(http).host && !isLoopback(own.host),
        'host',
        'must be a loopback address such as 127.0.0.1 while APP_ENV is dev',
      );
    },
  },
);
