import { join } from 'node:path';
import { rolldown } from 'rolldown';

/** All that the executable runs, as one ES module. */

/** Never reached: engines are talked to over unix sockets, and nothing builds images. */
const leftOut = ['ssh2', 'cpu-features', 'pg-native', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'];
/** What CommonJS packages expect to find. */
const banner = `import { createRequire as __createRequire } from 'node:module';
const require = __createRequire(import.meta.url), __filename = process.execPath, __dirname = '/';`;

export type Bundled = { code: string; /** Files that are in it. */ modules: string[] };

export async function bundleSources(root: string): Promise<Bundled> {
  await using build = await rolldown({
    input: join(root, 'src/cli/main.ts'),
    platform: 'node',
    cwd: root,
    plugins: [
      {
        name: 'left-out',
        resolveId: (id) => (leftOut.includes(id) ? `\0left-out:${id}` : undefined),
        load: (id) => (id.startsWith('\0left-out:') ? 'module.exports = {};' : undefined),
      },
    ],
    onLog(level, log) {
      throw new Error(`rolldown, ${level}: ${log.message}`);
    },
  });
  const { output } = await build.generate({ format: 'esm', minify: true, codeSplitting: false, banner });
  const [chunk, ...others] = output;
  if (others.length > 0) throw new Error(`more than one file came out: ${others.map(({ fileName }) => fileName).join(', ')}`);
  return { code: chunk.code, modules: Object.keys(chunk.modules).filter((id) => !id.startsWith('\0')) };
}
