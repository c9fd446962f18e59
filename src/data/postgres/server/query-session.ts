import { AirdockError, isAirdockError } from '../../../errors.ts';
import type { Session } from '../../../io/postgres.ts';
import { ask, type DatabaseTarget } from './server.ts';

/**
 * Queries over psql, each in a session of its own, for a server that only the database's tools reach: they see the network
 * as the application does, with its resolver and its TLS settings. No values, and columns as JSON has them.
 * @param place for messages, `HOST:PORT`
 * @throws AirdockError from `query`: DATABASE_AUTH, DATABASE_MISSING or DATABASE_UNREACHABLE, in psql's words
 */
export function querySession(target: DatabaseTarget, place: string): Session {
  return {
    async query<Row>(text: string, values: readonly unknown[] = []) {
      if (values.length > 0) throw new AirdockError('INTERNAL', 'a query over psql takes no values');
      try {
        const lines = await ask(target, `SELECT coalesce(json_agg(row_to_json(q)), '[]') FROM (${text}) q`);
        return JSON.parse(lines.join('\n')) as Row[];
      } catch (error) {
        throw isAirdockError(error, 'DATABASE_UNREACHABLE') ? refusal(error, target, place) : error;
      }
    },
    close: () => Promise.resolve(),
  };
}

function refusal(error: AirdockError, { user, database }: DatabaseTarget, place: string): AirdockError {
  const said = error.message.replace(/^psql in \S+ failed: /, '');
  const cause = error;
  if (/password authentication failed|no pg_hba\.conf entry|role "[^"]*" does not exist|no password supplied/.test(said))
    return new AirdockError('DATABASE_AUTH', `the database server at ${place} refused user ${user}: ${said}`, {
      hint: 'Correct user and password in .env, or what the server lets in (pg_hba.conf).',
      cause,
    });
  if (/database "[^"]*" does not exist/.test(said))
    return new AirdockError('DATABASE_MISSING', `the database server at ${place} has no database ${database}`, {
      hint: 'Check the name of the database in .env.',
      cause,
    });
  return new AirdockError('DATABASE_UNREACHABLE', `the database server at ${place} cannot be reached: ${said}`, {
    hint: 'Is it running, and does it let this machine in? It is asked from the network of the application.',
    cause,
  });
}
