import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { rolldown, type Plugin } from 'rolldown';

/** All that the executable runs, in parts: what starts, and what it loads when a command line asks for it. */

/** Never reached: engines are talked to over unix sockets, and nothing builds images. */
const leftOut = ['ssh2', 'cpu-features', 'pg-native', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'];
/**
 * Node's own modules are loaded by the first module that asks for one, not all at the start, as static imports would be:
 * `node:http`, `node:tls` and `node:sqlite` cost `airdock --version` more than all else.
 */
const lazyBuiltin = (id: string): string => `module.exports = process.getBuiltinModule(${JSON.stringify(id)});`;

export type Bundled = {
  /** CommonJS, and so are the parts; `require('./NAME')` in them is one of the parts. */
  main: string;
  parts: ReadonlyMap<string, string>;
  /** Files that are in them. */
  modules: string[];
};

export async function bundleSources(root: string): Promise<Bundled> {
  await using build = await rolldown({
    input: join(root, 'src/cli/main.ts'),
    platform: 'node',
    cwd: root,
    // parentheses around a module's function make V8 compile it at once: most command lines need few of them
    optimization: { pifeForModuleWrappers: false },
    plugins: [
      virtual(
        'left-out',
        (id) => leftOut.includes(id),
        () => 'module.exports = {};',
      ),
      virtual('builtin', isBuiltin, lazyBuiltin),
    ],
    onLog(level, log) {
      throw new Error(`rolldown, ${level}: ${log.message}`);
    },
  });
  const { output } = await build.generate({ format: 'cjs', minify: true, chunkFileNames: '[name].js' });
  const chunks = output.filter((one) => one.type === 'chunk');
  const main = chunks.find(({ isEntry }) => isEntry);
  if (!main || chunks.length < output.length)
    throw new Error(`this came out: ${output.map(({ fileName }) => fileName).join(', ')}`);
  return {
    main: ascii(main.code),
    parts: new Map(chunks.filter((chunk) => chunk !== main).map(({ fileName, code }) => [fileName, ascii(code)])),
    modules: chunks.flatMap(({ modules }) => Object.keys(modules)).filter((id) => !id.startsWith('\0')),
  };
}

/** One byte a character, which V8 reads faster than two. All that is not ASCII stands in strings and patterns. */
function ascii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Modules of which only the name is known, with the text that stands for them. */
function virtual(name: string, applies: (id: string) => boolean, text: (id: string) => string): Plugin {
  const prefix = `\0${name}:`;
  return {
    name,
    // not what the bundler's own runtime asks for: it comes before all of these
    resolveId: (id, importer) => (applies(id) && !importer?.startsWith('\0') ? `${prefix}${id}` : undefined),
    load: (id) => (id.startsWith(prefix) ? text(id.slice(prefix.length)) : undefined),
  };
}
