/** What the event log needs of a driver: one statement in, rows out. A pool and a client fit. */
export interface Queryable {
  query(statement: {
    name?: string;
    text: string;
    values?: unknown[];
  }): Promise<{ rows: Record<string, unknown>[]; rowCount: number | null }>;
}
