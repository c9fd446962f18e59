import { AirdockError, isAirdockError } from '../../../errors.ts';
import type { Session } from '../../../io/postgres.ts';
import { ask, type DatabaseTarget } from './server.ts';

/**
 * Queries over psql, each in a session of its own, for a server that only the database's tools can reach: they use the network,
 * the resolver and the TLS settings of the application. `query` takes no values, and returns columns as JSON values.
 * @param place `HOST:PORT`, for messages
 * @throws AirdockError from `query`: DATABASE_AUTH, DATABASE_MISSING or DATABASE_UNREACHABLE, with psql's message
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
  const reason = error.message.replace(/^psql in \S+ failed: /, '');
  const cause = error;
  if (/password authentication failed|no pg_hba\.conf entry|role "[^"]*" does not exist|no password supplied/.test(reason))
    return new AirdockError('DATABASE_AUTH', `the database server at ${place} refused user ${user}: ${reason}`, {
      hint: 'Correct user and password in .env, or allow this user on the server (pg_hba.conf).',
      cause,
    });
  if (/database "[^"]*" does not exist/.test(reason))
    return new AirdockError('DATABASE_MISSING', `the database server at ${place} has no database ${database}`, {
      hint: 'Check the name of the database in .env.',
      cause,
    });
  return new AirdockError('DATABASE_UNREACHABLE', `the database server at ${place} cannot be reached: ${reason}`, {
    hint: 'Check that the server runs and accepts connections from this machine. airdock connects from the network of the application.',
    cause,
  });
}
