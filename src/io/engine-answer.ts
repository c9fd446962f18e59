import { StringDecoder } from 'node:string_decoder';

/**
 * Reads the JSON lines of a load to the end and returns the errors in them. The status cannot tell: it is always 200 (docs/FACTS.md "What the engine answers to a load").
 */
export async function loadErrors(answer: AsyncIterable<Buffer | string>): Promise<string[]> {
  const decoder = new StringDecoder('utf8');
  const errors: string[] = [];
  let rest = '';
  const take = (text: string) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') errors.push(...errorIn(line));
  };
  for await (const chunk of answer) take(typeof chunk === 'string' ? chunk : decoder.write(chunk));
  take('\n');
  return errors;
}

function errorIn(line: string): string[] {
  try {
    const message = JSON.parse(line) as { error?: string; errorDetail?: { message?: string } };
    const text = message.errorDetail?.message ?? message.error;
    return text === undefined ? [] : [text];
  } catch {
    // A line that is not JSON is unexpected, so it is reported.
    return [line.trim().slice(0, 500)];
  }
}

/**
 * Text of a container's log. Without a terminal the engine puts an 8-byte header before each piece (Engine API, "Stream
 * format": stream number, three zeros, length); with a terminal, the log is plain bytes.
 */
export function plainLog(bytes: Buffer): string {
  const pieces: Buffer[] = [];
  let at = 0;
  while (at + 8 <= bytes.length) {
    if (bytes.readUInt8(at) > 2 || bytes.readUIntBE(at + 1, 3) !== 0) return bytes.toString('utf8');
    const end = at + 8 + bytes.readUInt32BE(at + 4);
    pieces.push(bytes.subarray(at + 8, end));
    at = end;
  }
  return Buffer.concat(pieces).toString('utf8');
}
