import pg from 'pg';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { declaredStreams } from '../../docs-generator/declared-events.ts';
import { streams } from '../../src/tables/streams.ts';
import type { StateTable } from '../../src/tables/table.ts';
import { seededRandom } from '../rebuild/ingredients.ts';
import { Population } from '../rebuild/population.ts';
import type { PastState } from '../rebuild/seeded-log.ts';
import { createTestDatabase, type TestDatabase } from '../support/postgres.ts';
import { testSeal } from '../support/seal.ts';

let database: TestDatabase;
let client: pg.Client;
let population: Population;

beforeAll(async () => {
  database = await createTestDatabase();
  client = new pg.Client({ connectionString: database.appUrl });
  await client.connect();
  population = new Population([client], seededRandom(4));
  await population.grow(300);
});

afterAll(async () => {
  await client.end();
  await database.drop();
});

/** The last state of each stream of one kind. */
const folded = (kind: string): Iterable<PastState> =>
  new Map(
    population.states.filter((each) => each.kind === kind).map((each) => [each.id, each]),
  ).values();

/** Every row of the table, as a command reads it. */
async function recorded(table: StateTable<object>): Promise<Map<string, Omit<PastState, 'kind'>>> {
  const { rows } = await client.query(
    `select ${table.select('t', 'st')} from latchkey.${table.name} t
      join latchkey.streams st on st.stream_id = t.${table.key}`,
  );
  return new Map(
    rows.map((row) => {
      table.require(testSeal, row);
      const record = table.record(row);
      return [record.id, record];
    }),
  );
}

describe('the state of each stream', () => {
  // Fails when a column is written and not read, read and not written, or spelled by another codec
  // on one of the two ways.
  it('comes back from its row as it was folded', async () => {
    for (const [kind, { table }] of Object.entries(streams)) {
      const rows = await recorded(table as unknown as StateTable<object>);
      const streamsOfKind = [...folded(kind)];
      expect(streamsOfKind.length, kind).toBeGreaterThan(0);
      for (const { id, version, state } of streamsOfKind) {
        expect(rows.get(id), `${kind} ${id}`).toEqual({ id, version, state });
      }
    }
  });

  // Fails when a new field never leaves its initial value in the population, where no test of a row
  // would miss its column.
  it('has left its initial value in every field somewhere', () => {
    for (const [kind, { decider }] of Object.entries(streams)) {
      const states = population.states.filter((each) => each.kind === kind);
      const still = Object.entries(decider.initialState).filter(([field, value]) =>
        states.every(({ state }) => {
          const later = (state as Record<string, unknown>)[field];
          return JSON.stringify(later) === JSON.stringify(value);
        }),
      );
      expect(
        still.map(([field]) => field),
        kind,
      ).toEqual([]);
    }
  });

  // Fails when a new event is not among those that a rebuild is tried with.
  it('has met every type of event', async () => {
    const { rows } = await client.query('select distinct type from latchkey.events');
    const met = new Set(rows.map(({ type }) => type as string));
    const known = declaredStreams().flatMap(({ events }) => events.map(({ type }) => type));
    expect(known.length).toBeGreaterThan(20);
    expect(known.filter((type) => !met.has(type))).toEqual([]);
  });

  // Fails when a noun says `revocation: () => null`: its next event would be asked nothing.
  it('is asked at each event what that one revokes', () => {
    for (const [kind, { revocation }] of Object.entries(streams)) {
      expect(revocation, kind).toHaveLength(3);
    }
  });

  it('is declared under the kind that it has', () => {
    for (const [kind, stream] of Object.entries(streams)) expect(stream.kind).toBe(kind);
  });
});
