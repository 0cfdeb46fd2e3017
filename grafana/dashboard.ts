import { writeFileSync } from 'node:fs';

/** Where the generated dashboard stands; Grafana's provisioning reads that directory. */
export const dashboardFile = new URL('./dashboards/latchkey.json', import.meta.url);

const datasource = { type: 'prometheus', uid: 'latchkey-prometheus' };
const columns = 24;
const panelHeight = 8;

type Unit = 'reqps' | 'ops' | 's' | 'percentunit' | 'short' | 'bytes';

interface Query {
  readonly expr: string;
  readonly legend: string;
}

interface Panel {
  readonly title: string;
  /** What a reader should conclude from it. */
  readonly description: string;
  readonly unit: Unit;
  readonly queries: readonly Query[];
  /** A line at a promise: an SLO, a limit. In the panel's unit. */
  readonly threshold?: number;
  readonly max?: number;
}

interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

/** The selector of the nodes that the reader chose, with more matchers if given. */
const on = (...matchers: string[]) => `{${['instance=~"$instance"', ...matchers].join(',')}}`;
const rate = (metric: string, ...matchers: string[]) =>
  `rate(latchkey_${metric}${on(...matchers)}[$__rate_interval])`;
/** Other services name the metrics of their process alike: only the job tells them apart. */
const ofProcess = (metric: string) => `${metric}${on('job="latchkey"')}`;
const quantile = (q: number, histogram: string, ...matchers: string[]) =>
  `histogram_quantile(${q}, sum by (le) (${rate(`${histogram}_bucket`, ...matchers)}))`;

const quantiles = (histogram: string, ...matchers: string[]): Query[] =>
  [0.5, 0.95, 0.99].map((q) => ({
    expr: quantile(q, histogram, ...matchers),
    legend: `p${q * 100}`,
  }));

/** The share of a route's requests that were answered within an edge of the histogram, in seconds. */
const within = (route: string, seconds: string): string => {
  const of = `route="${route}"`;
  const good = rate('http_request_duration_seconds_bucket', of, `le="${seconds}"`);
  return `sum(${good}) / sum(${rate('http_request_duration_seconds_count', of)})`;
};

const http: Row = {
  title: 'Requests',
  panels: [
    {
      title: 'Requests by route and status',
      description: 'Everything but /auth/verify, which has a panel of its own.',
      unit: 'reqps',
      queries: [
        {
          expr: `sum by (route, status) (${rate('http_requests_total')})`,
          legend: '{{route}} {{status}}',
        },
      ],
    },
    {
      title: 'Refusals by code',
      description: 'The codes of docs/errors.md. A rise of unavailable means that writes fail.',
      unit: 'reqps',
      queries: [{ expr: `sum by (code) (${rate('refusals_total')})`, legend: '{{code}}' }],
    },
    {
      title: 'Over a rate limit',
      description: 'Requests answered 429, by what they tried.',
      unit: 'reqps',
      queries: [{ expr: `sum by (action) (${rate('rate_limited_total')})`, legend: '{{action}}' }],
    },
    {
      title: 'Refresh latency',
      description: 'Promise: 99 % under 50 ms.',
      unit: 's',
      threshold: 0.05,
      queries: quantiles('http_request_duration_seconds', 'route="/auth/refresh"'),
    },
    {
      title: 'Login latency',
      description: 'Promise: 99 % under 600 ms. Refused logins wait for LOGIN_FLOOR_MS.',
      unit: 's',
      threshold: 0.6,
      queries: quantiles('http_request_duration_seconds', 'route="/auth/login"'),
    },
    {
      title: 'Within the promise',
      description: 'Share of good answers: refresh under 50 ms, login under 600 ms, verify answered.',
      unit: 'percentunit',
      threshold: 0.99,
      max: 1,
      queries: [
        { expr: within('/auth/refresh', '0.05'), legend: 'refresh < 50 ms' },
        { expr: within('/auth/login', '0.6'), legend: 'login < 600 ms' },
        {
          expr: `sum(${rate('verifications_total', 'result!="unavailable"')}) / sum(${rate('verifications_total')})`,
          legend: 'verify answered',
        },
      ],
    },
  ],
};

const sessions: Row = {
  title: 'Sign-in and sessions',
  panels: [
    {
      title: 'Logins by outcome and reason',
      description: 'Accepted by device type, refused by reason: a rise of password is guessing.',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (outcome, reason) (${rate('logins_total')})`,
          legend: '{{outcome}} {{reason}}',
        },
      ],
    },
    {
      title: 'Codes and links by mail',
      description: 'By purpose and outcome: a rise of refused codes is guessing.',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (purpose, outcome) (${rate('mail_proofs_total')})`,
          legend: '{{purpose}} {{outcome}}',
        },
      ],
    },
    {
      title: 'Second factors',
      description: 'Codes of apps and recovery codes: a rise of refused ones is guessing.',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (factor, outcome) (${rate('second_factors_total')})`,
          legend: '{{factor}} {{outcome}}',
        },
      ],
    },
    {
      title: 'Refresh outcomes',
      description: 'repeated: the first answer was lost. session_ended includes detected reuse.',
      unit: 'ops',
      queries: [{ expr: `sum by (outcome) (${rate('refreshes_total')})`, legend: '{{outcome}}' }],
    },
    {
      title: 'Tokens of clients',
      description: 'What the token endpoint answered to clients that had authenticated.',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (grant, outcome) (${rate('token_requests_total')})`,
          legend: '{{grant}} {{outcome}}',
        },
      ],
    },
    {
      title: 'Device-bound sessions',
      description:
        'Registrations and proofs of keys by result; skipped: a browser refreshed without a proof.',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (step, result) (${rate('device_binding_total')})`,
          legend: '{{step}} {{result}}',
        },
      ],
    },
    {
      title: 'Verifications by result',
      description: '/auth/verify: accepted, or the code of the refusal.',
      unit: 'ops',
      queries: [{ expr: `sum by (result) (${rate('verifications_total')})`, legend: '{{result}}' }],
    },
    {
      title: 'Password hashes waiting',
      description: 'At 64 of one network, or 128 of all, logins are shed with 503.',
      unit: 'short',
      threshold: 64,
      queries: [
        { expr: `latchkey_password_queue_depth${on()}`, legend: '{{instance}}' },
      ],
    },
    {
      title: 'Issuer keys that a node cannot open',
      description: 'Active and pending ones. More than 0: the node has another KEK.',
      unit: 'short',
      threshold: 1,
      queries: [{ expr: `latchkey_unusable_keys${on()}`, legend: '{{instance}}' }],
    },
    {
      title: 'Tokens signed and verified by issuer key',
      description: 'After a rotation the new key takes over within an access life.',
      unit: 'reqps',
      queries: [
        {
          expr: `sum by (kid) (${rate('issuer_key_verifications_total')})`,
          legend: 'verified {{kid}}',
        },
        {
          expr: `sum by (kid) (${rate('issuer_key_signatures_total')})`,
          legend: 'signed {{kid}}',
        },
      ],
    },
    {
      title: 'Age of the issuer keys',
      description: 'A key signs for a third of its life. An active one that only grows older means that no worker rotates.',
      unit: 's',
      queries: [
        {
          expr: `max by (kid, status) (latchkey_issuer_key_age_seconds${on('status=~"active|retiring"')})`,
          legend: '{{status}} {{kid}}',
        },
      ],
    },
    {
      title: 'Session keys looked for',
      description: 'In memory (hit, miss) and in the database. Misses that stay high mean that SESSION_KEY_CACHE_ENTRIES is too low.',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (result) (${rate('session_key_cache_total')})`,
          legend: 'memory: {{result}}',
        },
        {
          expr: `sum by (result) (${rate('session_key_lookups_total')})`,
          legend: 'database: {{result}}',
        },
        { expr: `sum by (result) (${rate('session_key_exceptions_total')})`, legend: '{{result}}' },
      ],
    },
    {
      title: 'Session keys in memory',
      description: 'Made ahead, and kept by each process.',
      unit: 'short',
      queries: [
        { expr: `sum(latchkey_session_keys_ready${on()})`, legend: 'ready' },
        { expr: `sum(latchkey_session_key_cache_entries${on()})`, legend: 'public' },
        { expr: `sum(latchkey_session_signing_keys_entries${on()})`, legend: 'private' },
      ],
    },
    {
      title: 'Size of the public session keys',
      description: 'In each process, at most SESSION_KEY_CACHE_BYTES.',
      unit: 'bytes',
      queries: [
        { expr: `max(latchkey_session_key_cache_bytes${on()})`, legend: 'largest process' },
      ],
    },
    {
      title: 'Notable events',
      description: 'Rotations and revocations of issuer keys, reuse of refresh tokens, lockouts.',
      unit: 'ops',
      queries: [
        { expr: `sum by (event) (${rate('notable_events_total')})`, legend: '{{event}}' },
      ],
    },
    {
      title: 'Reuse, lockouts, refused networks',
      description: 'Each is an attack, or a client that works wrongly: docs/operations.md, Alerts.',
      unit: 'ops',
      queries: [
        { expr: `sum(${rate('refresh_token_reuse_total')})`, legend: 'refresh token used twice' },
        { expr: `sum by (of) (${rate('lockouts_total')})`, legend: 'lock of a {{of}}' },
        { expr: `sum(${rate('refused_networks_total')})`, legend: 'network refused often' },
      ],
    },
    {
      title: 'Password hashes not computed',
      description: 'group_full and displaced: a network floods. queue_full: many do. left: its caller hung up.',
      unit: 'ops',
      queries: [
        {
          expr: `sum by (reason) (${rate('password_hashes_shed_total')})`,
          legend: '{{reason}}',
        },
        {
          expr: `sum by (reason) (${rate('password_hashes_refused_total')})`,
          legend: 'stored hash: {{reason}}',
        },
      ],
    },
    {
      title: 'Refused logins past the floor',
      description: 'Above 0 the time of a refusal tells something: raise LOGIN_FLOOR_MS.',
      unit: 'ops',
      queries: [
        { expr: `sum by (instance) (${rate('login_floor_overruns_total')})`, legend: '{{instance}}' },
      ],
    },
  ],
};

const log: Row = {
  title: 'Event log',
  panels: [
    {
      title: 'Appends',
      description: 'Commands and the events they recorded, by kind of stream.',
      unit: 'ops',
      queries: [
        { expr: `sum(${rate('appends_total')})`, legend: 'commands' },
        { expr: `sum by (kind) (${rate('append_events_total')})`, legend: '{{kind}} events' },
      ],
    },
    {
      title: 'Append latency',
      description: 'From handing a command to the writer until its commit.',
      unit: 's',
      queries: quantiles('append_duration_seconds'),
    },
    {
      title: 'Commands per batch',
      description: 'Group commit: the mean grows with load, 100 is the limit.',
      unit: 'short',
      threshold: 100,
      queries: [
        {
          expr: `sum(${rate('append_batch_commands_sum')}) / sum(${rate('append_batch_commands_count')})`,
          legend: 'mean',
        },
        { expr: quantile(0.99, 'append_batch_commands'), legend: 'p99' },
      ],
    },
    {
      title: 'Conflicts',
      description: 'Commands that met another version than they expected and were decided again.',
      unit: 'ops',
      queries: [
        { expr: `sum by (instance) (${rate('append_conflicts_total')})`, legend: '{{instance}}' },
      ],
    },
    {
      title: 'Age of the revocation poll',
      description: 'Normally below 0.1 s. At LEASE_SECONDS (60) a node stops verifying.',
      unit: 's',
      threshold: 60,
      queries: [
        { expr: `latchkey_revocation_poll_age_seconds${on()}`, legend: '{{instance}}' },
      ],
    },
    {
      title: 'Nodes that may verify',
      description: '1: the lease holds. 0: the node answers 503, or serves stale by STALE_POLICY.',
      unit: 'short',
      max: 1,
      queries: [{ expr: `latchkey_lease_valid${on()}`, legend: '{{instance}}' }],
    },
  ],
};

const processes: Row = {
  title: 'Processes',
  panels: [
    {
      title: 'Database connections',
      description: 'waiting above 0 for long: the pool is too small or Postgres is slow.',
      unit: 'short',
      queries: [
        {
          expr: `sum by (pool, state) (latchkey_pool_connections${on()})`,
          legend: '{{pool}} {{state}}',
        },
      ],
    },
    {
      title: 'Event loop lag, p99',
      description: 'What every request waits for at least.',
      unit: 's',
      threshold: 0.05,
      queries: [
        { expr: ofProcess('nodejs_eventloop_lag_p99_seconds'), legend: '{{instance}}' },
      ],
    },
    {
      title: 'CPU',
      description: 'Cores used. One process verifies on one core; password hashes use others.',
      unit: 'short',
      queries: [
        {
          expr: `rate(${ofProcess('process_cpu_seconds_total')}[$__rate_interval])`,
          legend: '{{instance}}',
        },
      ],
    },
    {
      title: 'Memory',
      description: 'Resident memory.',
      unit: 'bytes',
      queries: [
        { expr: ofProcess('process_resident_memory_bytes'), legend: '{{instance}}' },
      ],
    },
  ],
};

const rows = [http, sessions, log, processes];

/** Every query that the dashboard asks, with the panel that asks it. */
export const dashboardQueries = rows.flatMap(({ panels }) =>
  panels.flatMap(({ title, queries }) =>
    queries.map(({ expr, legend }) => ({ panel: title, legend, expr })),
  ),
);

/** The dashboard as Grafana reads it, as JSON text. */
export function renderDashboard(): string {
  let id = 0;
  let y = 0;
  const panels: object[] = [];
  for (const row of rows) {
    panels.push({
      id: ++id,
      type: 'row',
      title: row.title,
      collapsed: false,
      gridPos: { x: 0, y, w: columns, h: 1 },
      panels: [],
    });
    y += 1;
    const perLine = row.panels.length % 3 === 0 || row.panels.length > 4 ? 3 : 2;
    const w = columns / perLine;
    for (const [index, panel] of row.panels.entries()) {
      const line = Math.floor(index / perLine);
      const gridPos = { x: (index % perLine) * w, y: y + line * panelHeight, w, h: panelHeight };
      panels.push(renderPanel(++id, panel, gridPos));
    }
    y += Math.ceil(row.panels.length / perLine) * panelHeight;
  }
  return `${JSON.stringify({ ...frame, panels }, null, 2)}\n`;
}

const frame = {
  uid: 'latchkey',
  title: 'Latchkey',
  tags: ['latchkey'],
  schemaVersion: 39,
  version: 1,
  editable: false,
  graphTooltip: 1,
  refresh: '10s',
  time: { from: 'now-30m', to: 'now' },
  timezone: 'browser',
  templating: {
    list: [
      {
        name: 'instance',
        label: 'Node',
        type: 'query',
        datasource,
        query: {
          query: 'label_values(latchkey_lease_valid, instance)',
          refId: 'instance',
        },
        refresh: 2,
        sort: 1,
        multi: true,
        includeAll: true,
        allValue: '.*',
        current: { text: 'All', value: '$__all' },
      },
    ],
  },
};

function renderPanel(id: number, panel: Panel, gridPos: object): object {
  const { title, description, unit, queries, threshold, max } = panel;
  return {
    id,
    type: 'timeseries',
    title,
    description,
    datasource,
    gridPos,
    fieldConfig: {
      defaults: {
        unit,
        min: 0,
        ...(max === undefined ? {} : { max }),
        custom: {
          lineWidth: 1,
          fillOpacity: 8,
          showPoints: 'never',
          thresholdsStyle: { mode: threshold === undefined ? 'off' : 'dashed' },
        },
        thresholds: {
          mode: 'absolute',
          steps: [
            { color: 'green', value: null },
            ...(threshold === undefined ? [] : [{ color: 'red', value: threshold }]),
          ],
        },
      },
      overrides: [],
    },
    options: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource,
      expr,
      legendFormat: legend,
      range: true,
    })),
  };
}

if (import.meta.main) writeFileSync(dashboardFile, renderDashboard());
