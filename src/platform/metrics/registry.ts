import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/**
 * A registry with the metrics of Node and of the process, under the names that every dashboard for
 * Node looks for. Each part of the process registers its own beside them.
 */
export function processRegistry(): Registry {
  const registry = new Registry();
  collectDefaultMetrics({ register: registry });
  // Gauges named as counters are. The same numbers, by type, stand in the ones without `_total`.
  for (const what of ['handles', 'requests', 'resources']) {
    registry.removeSingleMetric(`nodejs_active_${what}_total`);
  }
  return registry;
}

interface Described<L extends string> {
  readonly name: string;
  readonly help: string;
  /** No label ever names a user, a session or an address. */
  readonly labels?: readonly L[];
}

/** A counter of `registry`. Two parts of one process that ask for the same name share it. */
export function counter<L extends string = never>(
  registry: Registry,
  { name, help, labels = [] }: Described<L>,
): Counter<L> {
  return (
    known<Counter<L>>(registry, name) ??
    new Counter({ name, help, labelNames: [...labels], registers: [registry] })
  );
}

/** A histogram of `registry`, shared as counters are. `buckets` in the unit of the name. */
export function histogram<L extends string = never>(
  registry: Registry,
  { name, help, labels = [], buckets }: Described<L> & { readonly buckets: readonly number[] },
): Histogram<L> {
  return (
    known<Histogram<L>>(registry, name) ??
    new Histogram({
      name,
      help,
      labelNames: [...labels],
      buckets: [...buckets],
      registers: [registry],
    })
  );
}

/** A gauge that is set by hand, and is absent until then; shared as counters are. */
export function gauge<L extends string = never>(
  registry: Registry,
  { name, help, labels = [] }: Described<L>,
): Gauge<L> {
  return (
    known<Gauge<L>>(registry, name) ??
    new Gauge({ name, help, labelNames: [...labels], registers: [registry] })
  );
}

/** A gauge that is read when somebody scrapes. */
export function readGauge(registry: Registry, described: Described<never>, read: () => number) {
  return new Gauge({
    ...described,
    registers: [registry],
    collect() {
      this.set(read());
    },
  });
}

function known<M>(registry: Registry, name: string): M | undefined {
  return registry.getSingleMetric(name) as M | undefined;
}
