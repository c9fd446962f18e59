import { AirdockError } from '../errors.ts';

const units = {
  B: 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
} as const;

/** The bytes of a size such as `2GiB`. @throws AirdockError CONFIG_INVALID */
export function parseSize(text: number | string, where: string): number {
  if (typeof text === 'number') return text;
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*([A-Za-z]+)$/.exec(text) ?? [];
  const factor = Object.entries(units).find(([name]) => name === unit)?.[1];
  if (number === undefined || factor === undefined) {
    throw new AirdockError('CONFIG_INVALID', `${where}: ${JSON.stringify(text)} is not a size`, {
      hint: 'Write it as 500MB or 2GiB.',
    });
  }
  return Math.round(Number(number) * factor);
}
