// What stands on PATH as kubectl and helm in the cluster suite: hands the call to the test (stand-in.ts), and does as it says. Its
// stdin goes there as it comes; lines come back: a letter, and base64.
const http = require('node:http');
const { createInterface } = require('node:readline');

module.exports = (tool, socketPath) => {
  const call = Buffer.from(JSON.stringify({ tool, args: process.argv.slice(2), env: process.env })).toString('base64url');
  const request = http.request({ socketPath, method: 'POST', path: `/${call}` }, (response) => {
    createInterface({ input: response }).on('line', (line) => {
      const bytes = Buffer.from(line.slice(1), 'base64');
      if (line[0] === 'o') process.stdout.write(bytes);
      else if (line[0] === 'e') process.stderr.write(bytes);
      else if (line[0] === 'k') process.kill(process.ppid, 'SIGKILL');
      else if (line[0] === 'i') process.kill(process.ppid, 'SIGINT');
      else if (line[0] === 'x') end(Number(bytes.toString()));
    });
  });
  request.on('error', (error) => {
    process.stderr.write(`stand-in: ${error.message}\n`);
    end(98);
  });
  process.stdin.pipe(request);

  // nobody reads on: what is still to come from stdin does not matter
  function end(code) {
    process.exitCode = code;
    process.stdin.unref?.();
    process.stdin.destroy();
    request.destroy();
  }
};
