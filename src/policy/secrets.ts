import { kindOfName, speaksOfLogins } from './secret-names.ts';

/**
 * The one rule for which settings are secrets, for everything that shows settings, writes them into a report or sends them to
 * somebody. In doubt a value counts as a secret: the operator can still look it up in the file.
 */

/**
 * @param name of the setting; of a path, the last part
 * @param value as a program gets it, with variables replaced and `$$` as `$`
 * @param marked names that the release marks as secret
 * @returns the value and the secrets in it, in the forms in which they may appear elsewhere; empty when the value is not secret
 */
export function secretsIn(name: string, value: string, marked: ReadonlySet<string> = new Set()): string[] {
  const parts = partsOf(name, value);
  const isWhole = (marked.has(name) && value.trim() !== '') || isSecret(name, value);
  if (!isWhole && parts.length === 0) return [];
  return [...new Set([value, ...[...(isWhole ? [value] : []), ...parts].flatMap(piecesOf)])];
}

const switches = /^(true|false|yes|no|on|off|none|null|0|1)?$/i;
const secretPath =
  /^(\/run\/secrets\/[\w.-]+|(\.{0,2}|~)(\/[\w.@-]+)+\.(pem|key|crt|cer|p12|pfx|jks|json|ya?ml|txt|conf|env|pub)|[A-Z][A-Z\d_]*_FILE)$/;
/** Values that are not secret under an everyday name: a way to log in, an address, a folder. */
const everydayValues =
  /^(plain|login|basic|digest|md5|cram-md5|scram-sha-\d+|ldap|oidc|saml|jwt|oauth2?|bearer|trust|peer|ident|local|internal|external|ntlm|kerberos|https?:\/\/[^\s@?]+|(\.{0,2}|~)(\/[\w.@-]+)+\/?)$/i;

function isSecret(name: string, value: string): boolean {
  const kind = kindOfName(name);
  const text = value.trim();
  if (kind === 'plain' || switches.test(text) || secretPath.test(text)) return false;
  return kind === 'secret' || !everydayValues.test(text);
}

/** Secrets inside a value, whatever its name: each pattern captures one. */
const patterns: readonly RegExp[] = [
  // a URL with a password; digits before a slash are a port
  /(?<![\w+.-])[a-z][\w+.-]*:\/\/[^\s/@:"'[\]]*:(?!\d+[/?#])([^\s@"']+)@/gi,
  // a URL with a token as the user (a DSN); with the excluded schemes it is a user's name
  /(?<![\w+.-])(?!(?:ssh|git|git\+ssh|svn\+ssh|sftp|ftps?|rsync|postgres|postgresql|mysql|mariadb|mongodb|mongodb\+srv|amqps?|ldaps?|smb|cifs|imaps?|smtps?):)[a-z][\w+.-]*:\/\/([^\s/@:"'?#[\]]+)@/gi,
  /authorization["']?\s*[:=]\s*["']?(?:\w+\s+)?([^\s"']+)/gi,
  // curl -u; a number is a user's id
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

/** Forms in which a log may have the secret: decoded, or one word or line of it. */
function piecesOf(secret: string): string[] {
  return [secret, decoded(secret), ...secret.split(/[\s,]+/).filter((piece) => piece.length >= 10)];
}

/** Decodes `%40` and the like, as in a URL. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
