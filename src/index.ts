export { defineBundle, type BundleConfig } from './build/config.ts';
export { AirdockError, exitCodes, type ErrorCode } from './errors.ts';
