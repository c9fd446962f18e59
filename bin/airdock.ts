import { enableCompileCache } from 'node:module';

enableCompileCache();
await import('../src/cli/main.ts');
