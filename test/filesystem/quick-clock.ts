/** In place of `node:timers/promises`: nobody waits, and `performance.now()` says that they did. */
let passed = 0;
const real = performance.now.bind(performance);
performance.now = () => real() + passed;

export const timers = {
  setTimeout: async <T>(milliseconds: number, value?: T): Promise<T | undefined> => {
    passed += milliseconds;
    return value;
  },
};
