import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ExecOptions } from '../../src/io/compose.ts';
import type { RunResult } from '../../src/io/process.ts';

/** A database by its OID, and whether it lets anybody in. `rows`: of its one table, hash of the key -> hash of the row. */
export type FakeDatabase = { oid: number; open: boolean; rows?: Readonly<Record<number, number>> };

/**
 * A PostgreSQL server in memory, at the level of `psql` in its container: it knows the statements about whole databases, and
 * what a comparison of rows reads. A statement that it does not know is an error of the test.
 */
export class FakePostgres {
  databases: Record<string, FakeDatabase>;
  /** Statements that contain this fail. */
  refuses: string | undefined;
  /** Sees every statement before it runs. */
  onStatement: (sql: string) => void = () => {};

  constructor(databases: Record<string, FakeDatabase>) {
    this.databases = databases;
  }

  exec = async (_service: string, command: readonly string[], options: ExecOptions = {}): Promise<RunResult> => {
    const result = { exitCode: 0, stdout: '', stderr: '' };
    try {
      const database = command[command.indexOf('-d') + 1] ?? '';
      const sql = withVariables(Buffer.isBuffer(options.input) ? options.input.toString() : (command.at(-1) ?? ''), command);
      this.onStatement(sql);
      if (this.refuses !== undefined && sql.includes(this.refuses)) throw new Refused(`it refuses ${this.refuses}`);
      const answer = this.#answer(database, sql);
      if (typeof answer === 'string') return { ...result, stdout: answer };
      if (!options.stdout) throw new Error('a COPY without a sink');
      await pipeline(Readable.from([answer]), options.stdout);
      return result;
    } catch (error) {
      if (error instanceof Refused) return { ...result, exitCode: 3, stderr: `ERROR:  ${error.message}` };
      throw error;
    }
  };

  #answer(database: string, sql: string): string | Buffer {
    if (!/^(postgres|template1|airdock_scratch)$/.test(database)) {
      const { open, rows = {} } = this.#named(database);
      if (!open) throw new Refused(`database "${database}" is not currently accepting connections`);
      if (sql.includes('COPY (')) return copied(rows);
      if (sql.includes('pg_relation_size')) return `${JSON.stringify(table)}\n`;
    }
    // a copy takes the settings of the database along, a rehearsal shows its tables: there are none here
    if (sql.includes('aclexplode') || sql.includes('\\gexec')) return '';
    const before = structuredClone(this.databases);
    try {
      return sql
        .split(';')
        .map((statement) => this.#statement(statement.replaceAll(/\s+/g, ' ').trim()))
        .join('');
    } catch (error) {
      this.databases = before;
      throw error;
    }
  }

  #statement(sql: string): string {
    if (/^(|BEGIN|COMMIT|SET LOCAL synchronous_commit = on|--.*|SELECT pg_terminate_backend.*)$/.test(sql)) return '';
    if (sql === 'SELECT 1') return '1\n';
    if (sql === 'SHOW server_version_num') return '150010\n';
    if (sql === 'SELECT oid, datname FROM pg_database')
      return Object.entries(this.databases)
        .map(([name, { oid }]) => `${oid}|${name}\n`)
        .join('');
    const [, name = '', oid, fenced] =
      /^SELECT 1 \/ count\(\*\) FROM pg_database WHERE datname = '(.*)' AND oid = '(\d+)'( AND NOT datallowconn)?$/.exec(sql) ??
      [];
    if (oid !== undefined) {
      const one = this.databases[name];
      if (one?.oid !== Number(oid) || (fenced !== undefined && one.open)) throw new Refused('division by zero');
      return '1\n';
    }
    const [, what = '', first = '', second = ''] =
      /^(ALTER|CREATE|DROP) DATABASE "([^"]*)"(?: (ALLOW_CONNECTIONS (?:true|false)|RENAME TO "[^"]*"|TEMPLATE "[^"]*".*))?$/.exec(
        sql,
      ) ?? [];
    const other = /"([^"]*)"/.exec(second)?.[1] ?? '';
    if (what === 'DROP') delete this.databases[this.#named(first) && first];
    else if (what === 'CREATE') this.#put(first, { ...this.#named(other), oid: this.#freeOid(), open: true });
    else if (second.startsWith('ALLOW')) this.#named(first).open = second.endsWith('true');
    else if (second.startsWith('RENAME')) {
      this.#put(other, this.#named(first));
      delete this.databases[first];
    } else throw new Error(`the fake server does not know: ${sql}`);
    return '';
  }

  #named(name: string): FakeDatabase {
    const one = this.databases[name];
    if (!one) throw new Refused(`database "${name}" does not exist`);
    return one;
  }

  #put(name: string, database: FakeDatabase): void {
    if (this.databases[name]) throw new Refused(`database "${name}" already exists`);
    this.databases[name] = database;
  }

  #freeOid(): number {
    return Math.max(...Object.values(this.databases).map(({ oid }) => oid)) + 1;
  }
}

/** psql's own exit code and words. */
class Refused extends Error {}

function withVariables(sql: string, command: readonly string[]): string {
  const set = command.filter((_, index) => command[index - 1] === '-v').map((one) => one.split('=') as [string, string]);
  return set.reduce(
    (text, [name, value]) => text.replaceAll(`:'${name}'`, `'${value}'`).replaceAll(`:"${name}"`, `"${value}"`),
    sql,
  );
}

const table = { name: 'public.notes', bytes: 0, columns: [['id', 'integer']], key: ['id'] };

/** As PostgreSQL's binary COPY writes pairs of bigints. */
function copied(rows: Readonly<Record<number, number>>): Buffer {
  const parts = Object.entries(rows).map(([key, value]) => {
    const row = Buffer.alloc(26);
    row.writeInt16BE(2, 0);
    row.writeInt32BE(8, 2);
    row.writeBigInt64BE(BigInt(key), 6);
    row.writeInt32BE(8, 14);
    row.writeBigInt64BE(BigInt(value), 18);
    return row;
  });
  return Buffer.concat([Buffer.from('PGCOPY\n\xff\r\n\0', 'latin1'), Buffer.alloc(8), ...parts, Buffer.from([0xff, 0xff])]);
}
