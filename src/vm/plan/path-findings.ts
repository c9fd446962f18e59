import type { Facts } from './facts.ts';
import type { Plan } from './document.ts';
import type { Finding } from '../../policy/finding.ts';
import { withMigrations } from '../../policy/migrations.ts';
import * as path from '../../policy/upgrade-path.ts';
import { wayBackFindings } from '../../policy/way-back.ts';
import { restoreLines } from './restore-text.ts';

const commands: path.Commands = {
  place: 'this deployment',
  anotherPlace: 'Use another --dir for another product.',
  install: 'airdock install',
  rollback: (version, flag) => `airdock rollback ${version}${flag === undefined ? '' : ` ${flag}`}`,
};

/** Findings about the path of a plan: the rules of an upgrade, or of a rollback. */
export function pathFindings(facts: Facts, pathClass: Plan['class'], stopSeconds: number): Finding[] {
  const { target, deployment, engine } = facts;
  const upgradePath = {
    product: deployment?.product ?? null,
    platform: `${engine.os}/${engine.architecture}`,
    from: deployment?.current ?? null,
    highestGood: deployment?.highestGood ?? null,
    schemaRelease: deployment?.schemaRelease ?? null,
    securityFloor: deployment?.securityFloor ?? null,
    migrations: withMigrations(facts.migrations, target.migrations),
    pathClass,
    target,
    allowDowngrade: facts.allowDowngrade,
    dataIsSavedElsewhere: facts.dataIsSavedElsewhere,
  };
  if (facts.kind !== 'rollback') return path.pathFindings(upgradePath, commands);
  const findings = [path.productFinding(upgradePath, commands), path.platformFinding(upgradePath)].filter(
    (one) => one !== undefined,
  );
  return [...findings, ...rollbackFindings(facts, stopSeconds)];
}

function rollbackFindings(facts: Facts, stopSeconds: number): Finding[] {
  const { target, deployment, migrations, restore, restoreDatabase, dataIsSavedElsewhere } = facts;
  const schemaRelease = deployment?.schemaRelease ?? deployment?.current ?? target.version;
  const restoreText = () => {
    const lines = [...restoreLines(facts), ['stop', `about ${stopSeconds} s`] as const];
    return ['.', ...lines.map(([label, text]) => `  ${label.padEnd(11)} ${text}`)].join('\n');
  };
  const { version, database, traffic } = target;
  const securityFloor = deployment?.securityFloor ?? null;
  return wayBackFindings(
    {
      from: deployment?.current ?? schemaRelease,
      version,
      database,
      traffic,
      schemaRelease,
      securityFloor,
      migrations,
      incoming: restore,
      restoreDatabase,
      dataIsSavedElsewhere,
    },
    commands,
    restoreText,
  );
}
