// Loaded by NODE_OPTIONS=--require: the wall clock is AIRDOCK_CLOCK_YEARS years away.
const process = require('node:process');

const shift = Number(process.env.AIRDOCK_CLOCK_YEARS ?? 0) * 365.25 * 86_400_000;
const RealDate = Date;
globalThis.Date = class extends RealDate {
  constructor(...args) {
    super(...(args.length === 0 ? [RealDate.now() + shift] : args));
  }
  static now() {
    return RealDate.now() + shift;
  }
};
