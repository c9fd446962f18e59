// The process that writer.ts starts inside a host: posts notes one after another, and prints the title of each that was
// acknowledged (201). Ends when its stdin ends. Arguments: URL, pause in ms.
import { request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [url = '', pause = '50'] = process.argv.slice(2);
let going = true;
process.stdin.on('end', () => (going = false));
process.stdin.resume();

function post(title: string): Promise<number> {
  const body = JSON.stringify({ title });
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) };
    const sent = request(url, { method: 'POST', agent: false, headers, signal: AbortSignal.timeout(5000) }, (response) => {
      response.resume();
      response.on('error', () => resolve(0));
      response.on('end', () => resolve(response.statusCode ?? 0));
    });
    sent.on('error', () => resolve(0));
    sent.end(body);
  });
}

async function write(number: number): Promise<void> {
  const title = `written ${number} at ${Date.now()}`;
  if ((await post(title)) === 201) process.stdout.write(`${title}\n`);
  await sleep(Number(pause));
  if (going) await write(number + 1);
}

await write(0);
