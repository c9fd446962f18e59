import { errorText } from '../../errors.ts';
import path from 'node:path';
import { readIfExists, replaceFile } from '../../io/files.ts';
import type { ManagedSite } from './site.ts';

/**
 * The systemd unit that finishes or undoes an interrupted transaction at boot (ADR 1, "Recovery"). `%f` is the deployment's
 * directory (systemd.unit(5), "Specifiers"). Exit code 8, another airdock at work, does not count as a failure.
 */
export const resumeUnit = {
  name: 'airdock-resume@.service',
  text: `[Unit]
Description=airdock: finish or undo what was interrupted in %f
Documentation=man:systemd.unit(5)
After=docker.service network-online.target
Wants=docker.service
RequiresMountsFor=%f
ConditionPathExists=%f/.airdock/bin/airdock
ConditionPathExists=%f/.airdock/state.db

[Service]
Type=oneshot
ExecStart=%f/.airdock/bin/airdock resume --dir %f
SuccessExitStatus=8
TimeoutStartSec=infinity

[Install]
WantedBy=multi-user.target
`,
};

/**
 * Enables the unit once for a deployment, before its first step: if somebody disables it later, it stays disabled. It is not
 * enabled without systemd, without root, or from a checkout. A failure is a warning, because `airdock resume` by hand does the same.
 */
export async function resumeAtBoot({
  airdock,
  directory,
  host,
}: Pick<ManagedSite, 'airdock' | 'directory' | 'host'>): Promise<void> {
  const markerFile = path.join(airdock, 'boot-unit');
  if (host.program.executable === undefined || !host.systemd.present() || (await readIfExists(markerFile))) return;
  try {
    const unit = await host.systemd.enable(resumeUnit, directory);
    await replaceFile(markerFile, `${unit}\n`);
  } catch (error) {
    const why = errorText(error);
    host.listener({ type: 'warning', text: `airdock resume will not run by itself at boot: ${why}` });
  }
}
