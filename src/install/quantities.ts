/** Bytes as people read them, in powers of 1000: `22.0 MB`. */
export function bytesText(bytes: number): string {
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let power = 0;
  let value = bytes;
  while (value >= 1000 && power < units.length - 1) {
    value /= 1000;
    power++;
  }
  return power === 0 ? `${bytes} B` : `${value.toFixed(1)} ${units[power]}`;
}

/** `0.8 s`, `46.1 s`, `3 min 20 s` */
export function durationText(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  return seconds < 100 ? `${seconds.toFixed(1)} s` : `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
