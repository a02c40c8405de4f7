// Reads a JSON report of Vitest or Playwright: prints its sum, "passed failed", then a line for each failure with its message.
const report = JSON.parse(require('node:fs').readFileSync(process.argv[2], 'utf8'));
const failures = [];

function failed(file, title, message) {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours
  const plain = (message ?? '').replace(/\u001b\[[0-9;]*m/g, '').replace(/\s+/g, ' ');
  failures.push(`${file}: ${title}: ${plain.slice(0, 600)}`);
}

function walk(suite) {
  for (const spec of suite.specs ?? []) {
    for (const test of spec.tests) {
      if (test.status === 'unexpected') {
        failed(spec.file, `${spec.title} (${test.projectName})`, test.results.at(-1)?.error?.message);
      }
    }
  }
  suite.suites?.forEach(walk);
}

if (report.stats) {
  const { expected, flaky, unexpected } = report.stats;
  console.log(`${expected + flaky} ${unexpected}`);
  report.suites.forEach(walk);
} else {
  console.log(`${report.numPassedTests} ${report.numFailedTests}`);
  for (const { name, status, message, assertionResults } of report.testResults) {
    const file = require('node:path').relative(process.cwd(), name);
    const tests = assertionResults.filter((test) => test.status === 'failed');
    for (const test of tests) failed(file, test.fullName, test.failureMessages[0]);
    if (status === 'failed' && tests.length === 0) failed(file, 'the file', message);
  }
}
for (const line of failures) console.log(line);
