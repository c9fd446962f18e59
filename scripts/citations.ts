// node scripts/citations.ts [FOLDER]: what comments and pages cite must be in the repository. Prints each citation that is not,
// as FILE:LINE: what is wrong, and exits with 1 when there is any.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const ignored = new Set(['.git', '.cache', 'node_modules', 'dist', 'coverage', 'package-lock.json']);
/** Recordings and frozen records, which must not change; this check and its test, which name forbidden documents. */
const exempt = [
  'test/fixtures/cluster/',
  'test/fixtures/state/',
  'test/fixtures/nodepad/fingerprint.sql',
  'scripts/citations.ts',
  'test/scripts/citations.test.ts',
];

/** Documents outside of this repository. FACTS counts as one unless its path is named or linked. */
const elsewhere = [
  /\b(?:DESIGN|CONTRACTS|JOURNEY|STYLE)\b/g,
  /(?<!docs\/|\]\([./]*)\bFACTS\b(?!\.md\]\()/g,
  /\bissues?\s+#?\d+/gi,
];
const named = /(?<![\w./:-])(?:docs|src|test|scripts|bench)\/[\w./-]*\w/g;
const decisions = /\bADRs?\s+(\d+(?:(?:,|\s+and|,\s+and)\s+\d+)*)/g;
const part = /(?:\bdocs\/)?((?:adr\/[\w-]+|[A-Z]+)(?:\.md)?|ADR\s+\d+),?\s+(?:section\s+(\d+(?:\.\d+)?)|"([^"]+)")/g;
const link = /\]\(([^()\s]+)\)/g;

export function badCitations(root: string): string[] {
  return filesOf(root).flatMap((file) => {
    const text = readFileSync(path.join(root, file), 'utf8');
    if (text.includes('\0')) return [];
    const prose = file.endsWith('.md') ? text : commentsOf(text);
    const bad: [index: number, what: string][] = [];
    for (const pattern of elsewhere)
      for (const { 0: cited, index } of text.matchAll(pattern)) bad.push([index, `${cited} is not in this repository`]);
    for (const { 0: cited, index } of prose.matchAll(named))
      if (!placeOf(root, cited)) bad.push([index, `${cited} is not there`]);
    for (const { 1: numbers = '', index } of prose.matchAll(decisions))
      for (const number of numbers.match(/\d+/g) ?? [])
        if (!placeOf(root, decision(number))) bad.push([index, `ADR ${number} is not there`]);
    for (const { 0: cited, 1: page = '', 2: number, 3: heading, index } of prose.matchAll(part))
      if (lacksHeading(root, page, number, heading)) bad.push([index, `${cited.replaceAll(/\s+/g, ' ')}: no such heading`]);
    if (file.endsWith('.md'))
      for (const { 1: target = '', index } of prose.matchAll(link)) {
        if (!leadsSomewhere(root, file, target)) bad.push([index, `the link ${target} leads nowhere`]);
      }
    return bad.map(([index, what]) => `${file}:${text.slice(0, index).split('\n').length}: ${what}`);
  });
}

function filesOf(root: string, folder = ''): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = path.posix.join(folder, entry.name);
    if (ignored.has(entry.name) || entry.name.endsWith('.tar') || exempt.some((one) => one === file || one === `${file}/`))
      return [];
    return entry.isDirectory() ? filesOf(root, file) : entry.isFile() ? [file] : [];
  });
}

/** The comments of a source, with code and comment markers replaced by spaces, so that positions stay the same. */
function commentsOf(text: string): string {
  const blank = (piece: string) => ' '.repeat(piece.length);
  return text
    .split('\n')
    .map((line) => {
      const [begin = ''] = /^\s*(?:\/\*\*?|\*\/|\*|\/\/|#|--)|^.*?\s(?:\/\/|\/\*\*?|#)\s/.exec(line) ?? [line];
      return blank(begin) + line.slice(begin.length);
    })
    .join('\n');
}

/** The path of a cited file or folder, if it exists; `docs/adr/0006` stands for the file whose name begins so. */
function placeOf(root: string, cited: string): string | undefined {
  if (existsSync(path.join(root, cited))) return cited;
  const numbered = /^docs\/adr\/\d{4}$/.test(cited) && existsSync(path.join(root, 'docs/adr'));
  const found = numbered && readdirSync(path.join(root, 'docs/adr')).find((name) => name.startsWith(`${path.basename(cited)}-`));
  return found ? `docs/adr/${found}` : undefined;
}

function decision(number: string): string {
  return `docs/adr/${number.padStart(4, '0')}`;
}

/**
 * Whether a page in docs/ or at the top lacks a heading. A heading may be cited without its number, and by its first words: "Undo" for "Undo, until
 * `good` is committed".
 */
function lacksHeading(root: string, page: string, number = '', heading = ''): boolean {
  const cited = /^ADR\s/.test(page) ? [decision(page.slice(3).trim())] : [`docs/${page}`, page];
  const place = cited.flatMap((one) => [one, `${one}.md`]).find((one) => placeOf(root, one)?.endsWith('.md'));
  if (place === undefined) return page.endsWith('.md');
  const title = number === '' ? heading.replaceAll(/\s+/g, ' ') : number;
  const begins = (text: string) => text.startsWith(title) && !/^\w/.test(text.slice(title.length));
  const titles = headingsOf(path.join(root, placeOf(root, place) ?? ''));
  return !titles.some((text) => begins(text) || begins(text.replace(/^[\d.]+ /, '')));
}

function headingsOf(file: string): string[] {
  return [...readFileSync(file, 'utf8').matchAll(/^#+ +(.*)$/gm)].map(([, title = '']) => title);
}

function leadsSomewhere(root: string, from: string, target: string): boolean {
  if (/^[a-z]+:/.test(target)) return true;
  const [file = '', anchor] = target.split('#');
  const place = file === '' ? from : path.posix.join(path.posix.dirname(from), file);
  if (!existsSync(path.join(root, place))) return false;
  return anchor === undefined || headingsOf(path.join(root, place)).some((title) => anchorOf(title) === anchor);
}

/** The anchor that GitHub makes of a heading. */
function anchorOf(title: string): string {
  return title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const bad = badCitations(path.resolve(process.argv[2] ?? path.join(import.meta.dirname, '..')));
  for (const line of bad) console.error(line);
  process.exitCode = bad.length > 0 ? 1 : 0;
}
