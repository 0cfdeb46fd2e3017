import type { TestProject } from 'vitest/node';
import type { TestCluster } from '../support/cluster.ts';

/** Gives each worker of Stryker the Postgres that `run.ts` started for all of them. */
export default function setup(project: TestProject): void {
  project.provide('cluster', JSON.parse(process.env.MUTATION_CLUSTER!) as TestCluster);
}
