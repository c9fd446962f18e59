import { bytesText, durationText } from '../../units.ts';

/** Bytes, rate and time left of work that has run for `elapsed` milliseconds. */
export function progressText(bytes: number, total: number | undefined, elapsed: number): string {
  const parts = [total === undefined ? bytesText(bytes) : `${bytesText(bytes)} of ${bytesText(total)}`];
  if (elapsed > 500 && bytes > 0) {
    const rate = bytes / (elapsed / 1000);
    parts.push(`${bytesText(Math.round(rate))}/s`);
    if (total !== undefined && total > bytes) parts.push(`${durationText(((total - bytes) / rate) * 1000)} left`);
  }
  return parts.join(', ');
}
