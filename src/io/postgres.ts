import { Client } from 'pg';
import { AirdockError, errorText, systemCode } from '../errors.ts';

export type ConnectOptions = {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** Shown in pg_stat_activity: the id of the transaction, so that recovery can end the sessions of a killed airdock. */
  applicationName: string;
  /** Timeout of the connection attempt; default: 10 s. */
  timeoutMs?: number;
};

export interface Session {
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** @throws AirdockError DATABASE_AUTH, DATABASE_MISSING or DATABASE_UNREACHABLE */
export type Connect = (options: ConnectOptions) => Promise<Session>;

export const connect: Connect = async (options) => {
  const client = new Client({
    host: options.host,
    port: options.port,
    user: options.user,
    password: options.password,
    database: options.database,
    application_name: options.applicationName,
    connectionTimeoutMillis: options.timeoutMs ?? 10_000,
  });
  // A server that goes away between two queries makes the next one fail; without a listener it would end the process.
  client.on('error', () => {});
  try {
    await client.connect();
  } catch (error) {
    await client.end().catch(() => {});
    throw notConnected(error, options);
  }
  return {
    async query<Row>(text: string, values: readonly unknown[] = []) {
      const { rows } = await client.query(text, [...values]);
      return rows as Row[];
    },
    close: () => client.end(),
  };
};

/** SQLSTATE classes: https://www.postgresql.org/docs/15/errcodes-appendix.html */
function notConnected(error: unknown, { host, port, user, database }: ConnectOptions): AirdockError {
  const where = `the database server at ${host}:${port}`;
  const said = errorText(error);
  const cause = error;
  const code = systemCode(error) ?? '';
  if (code.startsWith('28')) {
    const hint =
      'The server keeps the password that it was created with, even if .env changes. ALTER ROLE … PASSWORD sets a new one.';
    return new AirdockError('DATABASE_AUTH', `${where} refused user ${user}: ${said}`, { hint, cause });
  }
  if (code === '3D000') {
    const hint = 'Check the name of the database in .env.';
    return new AirdockError('DATABASE_MISSING', `${where} has no database ${database}`, { hint, cause });
  }
  const hint = 'Check that the server is running and accepts connections.';
  return new AirdockError('DATABASE_UNREACHABLE', `${where} cannot be reached: ${said || code}`, { hint, cause });
}
