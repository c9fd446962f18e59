import { mkdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

const key = (file: string): string[] => ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];

/**
 * A certificate authority that nobody knows, and what it signed for `names` (`DNS:registry.test`): PEM files in `folder`. The CA
 * lies in a folder of its own, which skopeo takes as one of trusted certificates.
 */
export async function makePrivateCa(folder: string, names: readonly string[]) {
  const [ca, caKey] = [join(folder, 'trusted/ca.crt'), join(folder, 'ca.key')];
  const [certificate, own] = [join(folder, 'registry.pem'), join(folder, 'registry.key')];
  await mkdir(dirname(ca), { recursive: true });
  await execa('openssl', ['req', '-x509', '-days', '2', ...key(caKey), '-out', ca, '-subj', '/CN=a CA of the house']);
  const leaf = ['-subj', '/CN=registry', '-addext', `subjectAltName=${names.join(',')}`, '-addext', 'basicConstraints=CA:FALSE'];
  await execa('openssl', ['req', '-x509', '-days', '2', ...key(own), '-out', certificate, '-CA', ca, '-CAkey', caKey, ...leaf]);
  return { ca, certificate, key: own };
}
