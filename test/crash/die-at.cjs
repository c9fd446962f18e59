// Loaded into airdock by NODE_OPTIONS=--require (a single executable takes no --import): SIGKILLs the process at one exact
// place of its journal, or sends it the signal of AIRDOCK_DIE_BY.
//   AIRDOCK_DIE_AT=import:intent   right after the commit that records the intent of that step, before its effect
//   AIRDOCK_DIE_AT=import:effect   after the effect, right before it is recorded as done
//   AIRDOCK_DIE_AT=undo:intent     right after the commit that turns the transaction to undo
//   AIRDOCK_DIE_AT=load:500        so many milliseconds after the intent of that step, and before its end at the latest
// The journal's own statements are the places, so a step that is renamed makes its cases fail, not pass.
const { DatabaseSync } = require('node:sqlite');
const process = require('node:process');

const [step, phase] = (process.env.AIRDOCK_DIE_AT ?? '').split(':');
const signal = process.env.AIRDOCK_DIE_BY ?? 'SIGKILL';
let sent = false;
const die = () => {
  if (!sent) process.kill(process.pid, signal);
  sent = true;
};
const { prepare, exec } = DatabaseSync.prototype;
let armed = false;

if (step) {
  DatabaseSync.prototype.prepare = function (sql) {
    const statement = prepare.call(this, sql);
    const run = statement.run.bind(statement);
    statement.run = (...values) => {
      if (phase !== 'intent' && sql.includes('INSERT INTO steps') && values.includes(step) && values.includes('done')) die();
      const result = run(...values);
      if (sql.includes('INSERT INTO steps') && values.includes(step) && values.includes('intent')) armed = true;
      if (step === 'undo' && sql.includes("direction = 'undo'")) armed = true;
      return result;
    };
    return statement;
  };
  DatabaseSync.prototype.exec = function (sql) {
    const result = exec.call(this, sql);
    if (!armed || sql !== 'COMMIT' || phase === 'effect') return result;
    if (phase === 'intent') die();
    setTimeout(die, Number(phase));
    armed = false;
    return result;
  };
}
