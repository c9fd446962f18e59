export type ConnectOptions = {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
  /** Shown in pg_stat_activity: the transaction's id, so that recovery can end what a killed airdock left. */
  applicationName: string;
  /** For the connection; 10 s unless told. */
  timeoutMs?: number;
};

export interface Session {
  query<Row = Record<string, unknown>>(text: string, values?: readonly unknown[]): Promise<Row[]>;
  close(): Promise<void>;
}

/** @throws AirdockError DATABASE_AUTH, DATABASE_MISSING or DATABASE_UNREACHABLE */
export type Connect = (options: ConnectOptions) => Promise<Session>;

export declare const connect: Connect;
