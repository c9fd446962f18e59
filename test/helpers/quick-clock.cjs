// Loaded into airdock by NODE_OPTIONS=--require where a recording answers for the cluster. Time passes eight times as fast for the
// loops that ask the cluster again and again until an answer changes or their time is up. Limits of single commands stay as they are.
const timers = require('node:timers/promises');
const { syncBuiltinESMExports } = require('node:module');

const factor = 8;
const longestPause = 5000;
const { setTimeout: sleep } = timers;
const now = performance.now.bind(performance);
performance.now = () => now() * factor;
timers.setTimeout = (ms, ...rest) => sleep(ms <= longestPause ? ms / factor : ms, ...rest);
syncBuiltinESMExports();
