import { isBuiltin } from 'node:module';
import { join } from 'node:path';
import { rolldown, type Plugin } from 'rolldown';

/** The code of the executable, in parts: the part that starts, and parts that are loaded when a command needs them. */

/** Modules that are never used: airdock reaches engines over unix sockets, and builds no images. */
const leftOut = ['ssh2', 'cpu-features', 'pg-native', '@grpc/grpc-js', '@grpc/proto-loader', 'protobufjs'];
/**
 * Node's own modules are loaded by the first module that asks for one, not all at the start, as static imports would be:
 * `node:http`, `node:tls` and `node:sqlite` would cost `airdock --version` more time than everything else.
 */
const lazyBuiltin = (id: string): string => `module.exports = process.getBuiltinModule(${JSON.stringify(id)});`;

export type Bundled = {
  /** CommonJS, like the parts; `require('./NAME')` in them means one of the parts. */
  main: string;
  parts: ReadonlyMap<string, string>;
  /** Source files of main and of the parts. */
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
    throw new Error(`unexpected output of rolldown: ${output.map(({ fileName }) => fileName).join(', ')}`);
  return {
    main: ascii(main.code),
    parts: new Map(chunks.filter((chunk) => chunk !== main).map(({ fileName, code }) => [fileName, ascii(code)])),
    modules: chunks.flatMap(({ modules }) => Object.keys(modules)).filter((id) => !id.startsWith('\0')),
  };
}

/** Escapes code to one byte per character, which V8 reads faster. Characters outside of ASCII occur only in strings and patterns. */
function ascii(code: string): string {
  return code.replace(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Replaces modules by a text. */
function virtual(name: string, applies: (id: string) => boolean, text: (id: string) => string): Plugin {
  const prefix = `\0${name}:`;
  return {
    name,
    // not for the bundler's own runtime, which comes before all of these modules
    resolveId: (id, importer) => (applies(id) && !importer?.startsWith('\0') ? `${prefix}${id}` : undefined),
    load: (id) => (id.startsWith(prefix) ? text(id.slice(prefix.length)) : undefined),
  };
}
