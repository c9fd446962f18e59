// table.ts RESULTS OF: rows of label, seconds, peak kB and bytes as a Markdown table of medians. The last column is the
// median over the rounds of OF's time by the label's in the same round: the machine's mood falls out of it.
import { readFileSync } from 'node:fs';

const [path = '', of = ''] = process.argv.slice(2);
type Sample = { seconds: number; peak: number; bytes: number };
const samples = new Map<string, Sample[]>();
for (const line of readFileSync(path, 'utf8').split('\n').filter(Boolean)) {
  const [label = '', seconds, peak, bytes] = line.split('\t');
  const sample = { seconds: Number(seconds), peak: Number(peak ?? 0), bytes: Number(bytes ?? 0) };
  samples.set(label, [...(samples.get(label) ?? []), sample]);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return ((sorted[(sorted.length - 1) >> 1] ?? 0) + (sorted[sorted.length >> 1] ?? 0)) / 2;
}
const base = samples.get(of) ?? [];
console.log(`| | seconds (median) | least to most | peak MiB | MB | ${of} ÷ it |`);
console.log('|---|---|---|---|---|---|');
for (const [label, all] of samples) {
  const seconds = all.map((sample) => sample.seconds);
  const peak = median(all.map((sample) => sample.peak)) / 1024;
  const bytes = median(all.map((sample) => sample.bytes)) / 1e6;
  const ratio = median(all.flatMap((sample, round) => (base[round] ? [base[round].seconds / sample.seconds] : [])));
  const cells = [
    label,
    median(seconds).toFixed(2),
    `${Math.min(...seconds).toFixed(2)} to ${Math.max(...seconds).toFixed(2)}`,
    peak > 0 ? peak.toFixed(0) : '',
    bytes > 0 ? bytes.toFixed(1) : '',
    label === of ? '' : ratio.toFixed(2),
  ];
  console.log(`| ${cells.join(' | ')} |`);
}
