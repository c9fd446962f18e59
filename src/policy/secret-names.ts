/** Whether a setting holds a secret, judged by its name: `POSTGRES_PASSWORD`, `clientSecret`, `--admin-token`. */

const secretParts = /PASSWO?R?D|PASSPHRASE|PASSCODE|SECRET(?!AR)|CREDENTIAL|AUTHORIZATION|WEBHOOK/;
const secretWords = /^(PASS|PWD|PW|PIN|TOKENS?|DSNS?|SALTS?|PEPPER|CREDS?|BEARER|MNEMONIC|COOKIE)$/;
/** Two words written as one. */
const joinedWords =
  /^(\w*(API|ACCESS|MASTER|PRIVATE|SIGN|SIGNING|ENCRYPT|ENCRYPTION|LICEN[CS]E|ADMIN|SERVICE|SHARED|CLIENT|APP|AUTH|SESSION|REFRESH|ID)(TOKENS?|KEYS?|PWD|PW)|(DB|PG|SQL|USER|ROOT|ADMIN|REQUIRE|MAIL|SMTP|FTP|KEY)PASS)$/;
/** Words with other meanings too: under such a name, a plain word, a path or an address is not a secret. */
const everydayWords = /^(KEYS?|PRIVATE|(?!O)\w*AUTH)$/;
const publicKeys = /^(PUBLIC|PUB|PUBLISHABLE|PRIMARY|FOREIGN|SORT|PARTITION|ROUTING|SITE|HOT|HOST)$/;
/** Last words of names that describe a secret, and do not hold one. */
const aboutSecrets =
  /^(TTL|AGE|EXPIRY|EXPIRES|EXPIRATION|LIFETIME|TIMEOUT|DAYS|HOURS|MINUTES|SECONDS|LEN|LENGTH|SIZE|COUNT|LIMIT|ROUNDS|ENABLED?|DISABLED?|REQUIRED|SECURE|HTTPONLY|SAMESITE|TYPE|METHODS?|MODE|ALG|ALGORITHMS?|HASHERS|VALIDATORS|BACKENDS?|CLASS|CLASSES|POLICY|PROVIDERS?|PLUGIN|ISSUER|AUDIENCE|REALM|SCOPES?|HEADER|PREFIX|NAME|USER|USERNAME|EMAIL|FILE|PATH|DIR|DIRECTORY|HOSTS?|HOSTNAME|PORT|ADDR|ADDRESS|SERVER|SERVICE|UPSTREAM|ENDPOINT|URL|URI|DOMAIN|NETWORK|SUBNET|IP|CIDR|REGION|VERSION|ALIAS|SOCK)$/;

/** Judges a name. `perhaps`: the value decides. */
export function kindOfName(name: string): 'secret' | 'perhaps' | 'plain' {
  const words = wordsOf(name);
  if (words.some((word) => /WEBHOOK/.test(word))) return 'secret';
  if (words.length === 1 && words[0] === 'PWD') return 'perhaps';
  if (aboutSecrets.test(words.at(-1) ?? '') || words.some((word) => word === 'MAX' || word === 'MIN')) return 'plain';
  if (words.some((word) => secretParts.test(word) || secretWords.test(word) || joinedWords.test(word))) return 'secret';
  if (words.some((word) => publicKeys.test(word))) return 'plain';
  return words.some((word) => everydayWords.test(word)) ? 'perhaps' : 'plain';
}

/** Whether values under the name are often `USER:PASSWORD`. */
export function speaksOfLogins(name: string): boolean {
  return wordsOf(name).some((word) => /AUTH(?!OR)|^(USERS|LOGINS?|ACCOUNTS)$/.test(word));
}

/** The words of a name: `smtpPassword2` gives SMTP and PASSWORD. */
function wordsOf(name: string): string[] {
  return name
    .replaceAll(/([a-z\d])([A-Z])/g, '$1 $2')
    .replaceAll(/([A-Z])([A-Z][a-z])/g, '$1 $2')
    .toUpperCase()
    .split(/[^A-Z\d]+/)
    .map((word) => word.replace(/\d+$/, ''))
    .filter((word) => word !== '');
}
