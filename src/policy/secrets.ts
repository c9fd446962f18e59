import { kindOfName, speaksOfLogins } from './secret-names.ts';

/**
 * What of a deployment's settings nobody may see who does not need it: said once, for all that shows settings on a screen, writes
 * them into a report or sends them to somebody. In doubt it is a secret: what is hidden too much can be looked up in the file.
 */

/**
 * @param name of the setting; the last word of a path
 * @param value as a program gets it: without variables, each `$` once
 * @param marked names that the release says are secret
 * @returns the value and the secrets in it, as they may turn up elsewhere; empty when anybody may see it
 */
export function secretsIn(name: string, value: string, marked: ReadonlySet<string> = new Set()): string[] {
  const parts = partsOf(name, value);
  const isOne = (marked.has(name) && value.trim() !== '') || isSecret(name, value);
  if (!isOne && parts.length === 0) return [];
  return [...new Set([value, ...[...(isOne ? [value] : []), ...parts].flatMap(piecesOf)])];
}

const switches = /^(true|false|yes|no|on|off|none|null|0|1)?$/i;
const placeOfOne =
  /^(\/run\/secrets\/[\w.-]+|(\.{0,2}|~)(\/[\w.@-]+)+\.(pem|key|crt|cer|p12|pfx|jks|json|ya?ml|txt|conf|env|pub)|[A-Z][A-Z\d_]*_FILE)$/;
/** How somebody logs in, an address, a folder. */
const everyday =
  /^(plain|login|basic|digest|md5|cram-md5|scram-sha-\d+|ldap|oidc|saml|jwt|oauth2?|bearer|trust|peer|ident|local|internal|external|ntlm|kerberos|https?:\/\/[^\s@?]+|(\.{0,2}|~)(\/[\w.@-]+)+\/?)$/i;

function isSecret(name: string, value: string): boolean {
  const kind = kindOfName(name);
  const text = value.trim();
  if (kind === 'plain' || switches.test(text) || placeOfOne.test(text)) return false;
  return kind === 'secret' || !everyday.test(text);
}

/** Secrets that a value has in it, whatever its own name: each pattern captures one. */
const patterns: readonly RegExp[] = [
  // a URL with a password; digits and a slash are a port
  /(?<![\w+.-])[a-z][\w+.-]*:\/\/[^\s/@:"'[\]]*:(?!\d+[/?#])([^\s@"']+)@/gi,
  // one with a token in place of the user (a DSN); of these schemes it is a user's name
  /(?<![\w+.-])(?!(?:ssh|git|git\+ssh|svn\+ssh|sftp|ftps?|rsync|postgres|postgresql|mysql|mariadb|mongodb|mongodb\+srv|amqps?|ldaps?|smb|cifs|imaps?|smtps?):)[a-z][\w+.-]*:\/\/([^\s/@:"'?#[\]]+)@/gi,
  /authorization["']?\s*[:=]\s*["']?(?:\w+\s+)?([^\s"']+)/gi,
  // curl -u, of which a number is a user's id
  /(?:^|\s)(?:-u|--user|--proxy-user)[\s=]+[^\s:"']+:(?!\d+(?:\s|$))([^\s"']+)/g,
  /\b(?:mysql\w*|mariadb[\w-]*)\s(?:.*\s)?-p([^\s"']+)/g,
  /\b(?:redis-cli\s(?:.*\s)?-a|sshpass\s(?:.*\s)?-p)\s*([^\s"']+)/g,
  // hashes of passwords (htpasswd, crypt)
  /(\$(?:apr1|2[abxy]|argon2\w*|[156y])\$[^\s,"']+)/g,
  /(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*)/g,
  /(AGE-SECRET-KEY-1\w+|\beyJ[\w-]+\.[\w-]+\.[\w-]*|\b(?:AKIA|ASIA)[A-Z\d]{16}\b|\bgh[pousr]_\w{20,}|\bglpat-[\w-]{16,}|\bxox[abeprs]-[\w-]+|\b[sr]k_(?:live|test)_\w+)/g,
];

/** `name=value` and `name: value` as in URLs, options, JSON and YAML; `--name value`; `name value` on a line of its own. */
const assignments: readonly RegExp[] = [
  /(?<![\w.-])-*(\w[\w.-]*)["']?\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s;,&"']+))/g,
  /(?<![\w.-])-*(\w[\w.-]*)["']?:(?:\s*"([^"]*)"|\s*'([^']*)'|[ \t]+([^\s,;"'}]+))/g,
  /(?:^|\s)--?([A-Za-z][\w.-]*)\s+(?:"([^"]*)"|'([^']*)'|([^\s"'-]\S*))/g,
  /^[ \t]*([A-Za-z][\w.-]*)[ \t]+(?:"([^"\n]*)"|'([^'\n]*)'|(\S+))[ \t]*$/gm,
];

function partsOf(name: string, value: string): string[] {
  const found = patterns.flatMap((pattern) => [...value.matchAll(pattern)].map((match) => match[1] ?? ''));
  for (const pattern of assignments)
    for (const [, key = '', double, single, bare] of value.matchAll(pattern)) {
      const assigned = double ?? single ?? bare ?? '';
      if (isSecret(key, assigned)) found.push(assigned);
    }
  if (speaksOfLogins(name) && !value.includes('://'))
    for (const [, password = ''] of value.matchAll(/(?:^|[,\s])[^\s:,/]+:(?!\d+(?:[,\s]|$))([^\s,]+)/g)) found.push(password);
  return found.filter((part) => part !== '');
}

/** As a log may have it: one of several, one line of a key, without the scheme before it. */
function piecesOf(secret: string): string[] {
  return [secret, decoded(secret), ...secret.split(/[\s,]+/).filter((piece) => piece.length >= 10)];
}

/** In a URL, `%40` is `@`. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
