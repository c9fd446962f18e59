import semver from 'semver';
import type { Facts } from './facts.ts';
import { runsOn } from '../../policy/migrations.ts';
import type { Plan } from './document.ts';
import type { Finding, FindingCode } from '../../policy/finding.ts';
import { restoreLines } from './restore-text.ts';

/** What forbids the path itself: product, platform, downgrade, upgrade rules, class. */
export function pathFindings(facts: Facts, pathClass: Plan['class'], stopSeconds: number): Finding[] {
  const { target, deployment, kind } = facts;
  const from = deployment?.current ?? null;
  const findings: Finding[] = [];
  const refuse = (code: FindingCode, text: string, fix: string) => findings.push({ code, text, fix });
  if (deployment?.product && deployment.product !== target.product)
    refuse(
      'PRODUCT_MISMATCH',
      `this deployment is ${deployment.product}, the bundle is ${target.product}`,
      'Use another --dir for another product.',
    );
  const here = `${facts.engine.os}/${facts.engine.architecture}`;
  if (here !== target.platform)
    refuse(
      'PLATFORM_MISMATCH',
      `the bundle is for ${target.platform}, this engine is ${here}`,
      `Ask the vendor for the bundle for ${here}.`,
    );
  if (kind === 'rollback') return [...findings, ...rollbackFindings(facts, stopSeconds)];
  const highest = deployment?.highestGood ?? null;
  if (highest !== null && semver.lt(target.version, highest) && !facts.allowDowngrade)
    refuse(
      'DOWNGRADE_REFUSED',
      `${target.version} is older than ${highest}, which ran here`,
      `To go back, use airdock rollback; to install it all the same, add --allow-downgrade.`,
    );
  const schema = deployment?.schemaRelease ?? null;
  if (from === null && schema !== null && semver.lt(target.version, schema))
    refuse(
      'DOWNGRADE_REFUSED',
      `the database here was begun by ${schema}, which is newer than ${target.version}`,
      `Install ${schema} or later.`,
    );
  if (from === null) return findings;
  if (semver.lt(target.version, from) && !facts.allowDowngrade && highest === null)
    refuse('DOWNGRADE_REFUSED', `${target.version} is older than ${from}, which runs here`, 'To go back, use airdock rollback.');
  if (!semver.satisfies(from, target.upgrade.from, { includePrerelease: true }))
    refuse(
      'UPGRADE_PATH_REFUSED',
      `${target.version} upgrades from ${target.upgrade.from} only, ${from} runs here`,
      nextStop(facts, from),
    );
  const stop = target.upgrade.stops.find((version) => semver.gt(version, from) && semver.lt(version, target.version));
  if (stop !== undefined)
    refuse('UPGRADE_PATH_REFUSED', `the way from ${from} to ${target.version} stops at ${stop}`, `Install ${stop} first.`);
  if (pathClass === 'irreversible' && target.database !== 'none' && target.traffic.length === 0)
    refuse(
      'UPGRADE_PATH_REFUSED',
      `${target.version} has an irreversible migration and declares no traffic services: there is no moment to go back before users come in`,
      'Ask the vendor for a release whose bundle.config.ts names them under traffic.',
    );
  return findings;
}

function nextStop({ target }: Facts, from: string): string {
  const stop = target.upgrade.stops.find((version) => semver.gt(version, from));
  return stop === undefined ? `Install a release that satisfies ${target.upgrade.from} first.` : `Install ${stop} first.`;
}

function rollbackFindings(facts: Facts, stopSeconds: number): Finding[] {
  const { target, deployment, migrations, restore, restoreDatabase } = facts;
  const findings: Finding[] = [];
  const schema = deployment?.schemaRelease ?? deployment?.current ?? target.version;
  const lines: [string, string][] = [...restoreLines(facts), ['stop', `about ${stopSeconds} s`]];
  const stays = target.database === 'none' || runsOn(migrations, target.version, schema);
  const crossing = `${deployment?.current ?? schema} -> ${target.version} crosses a migration that code alone cannot: ${target.version} does not run on the schema of ${schema}`;
  if (stays && restoreDatabase && !restore)
    findings.push({
      code: 'USAGE',
      text: `the database need not go back: ${target.version} runs on the schema of ${schema}`,
      fix: 'Leave --restore-database out.',
    });
  if (!stays && !restore)
    findings.push({
      code: 'ROLLBACK_REFUSED',
      text: `${crossing}, and no database is kept here, nor a backup, that it runs on`,
      fix: semver.gt(target.version, schema) ? `Use airdock install with the bundle of ${target.version}: it migrates.` : 'Stay.',
    });
  if (restore && !runsOn(migrations, target.version, restore.schemaRelease))
    findings.push({
      code: 'ROLLBACK_REFUSED',
      text: `the backup ${restore.backup} has the schema of ${restore.schemaRelease}, and ${target.version} does not run on that`,
      fix: `Go to that release first: airdock rollback ${restore.schemaRelease} --restore-database`,
    });
  if (restore && target.traffic.length === 0)
    findings.push({
      code: 'ROLLBACK_REFUSED',
      text: `${target.version} declares no traffic services: it could not be tried before users come in`,
      fix: 'Stay, or restore by hand (docs/OPERATIONS.md, section 10).',
    });
  if (!stays && restore && !restoreDatabase)
    findings.push({
      code: 'RESTORE_DATABASE_NEEDED',
      text: [
        `${crossing}. The database must go back too.`,
        ...lines.map(([label, text]) => `  ${label.padEnd(11)} ${text}`),
      ].join('\n'),
      fix: `To go on: airdock rollback ${target.version} --restore-database`,
    });
  const floor = deployment?.securityFloor ?? null;
  if (floor !== null && semver.lt(target.version, floor))
    findings.push({
      code: 'ROLLBACK_REFUSED',
      text: `${target.version} is below the security floor ${floor}`,
      fix: `Roll back to ${floor} or later.`,
    });
  return findings;
}
