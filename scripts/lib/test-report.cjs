// node scripts/lib/test-report.cjs REPORT ROOT: reads vitest's JSON report. Prints the numbers of passed and failed tests on
// standard output, and each failed test with the first lines of its error on standard error.
const { readFileSync } = require('node:fs');

const [, , report, root] = process.argv;
const { numPassedTests, numFailedTests, testResults } = JSON.parse(readFileSync(report, 'utf8'));
console.log(numPassedTests, numFailedTests);
const indented = (text) =>
  text
    .split('\n')
    .slice(0, 25)
    .map((line) => `    ${line.slice(0, 400)}`)
    .join('\n');
for (const { name, status, message, assertionResults } of testResults) {
  const file = name.replace(`${root}/`, '');
  const failed = assertionResults.filter((one) => one.status === 'failed');
  if (status === 'failed' && failed.length === 0) console.error(`  ✗ ${file}\n${indented(message ?? '')}`);
  for (const { fullName, failureMessages } of failed)
    console.error(`  ✗ ${file}: ${fullName}\n${indented((failureMessages ?? []).join('\n'))}`);
}
