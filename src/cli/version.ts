import packageJson from '../../package.json' with { type: 'json' };

export const airdockVersion: string = packageJson.version;
