// Size of each package: lines of source, and gzipped bytes of its entry bundled and minified without other @weft packages. Limits are those of the design.
import { build } from "esbuild";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { root } from "./setup.mjs";

const LIMITS = {
  "adapters-lora": 8_300,
  "adapters-lycoris": 8_300,
  "adapters-model": 8_000,
  "adapters-orthogonal": 8_000,
  "adapters-prompt": 8_000,
  "adapters-scatter": 8_000,
  "adapters-spectral": 10_000,
  "adapters-structured": 8_000,
  "io-safetensors": 6_700,
  // The goals are 30 kB for kernels-wasm and 40.5 kB for tensor-core: both are over them, and must not grow further.
  "kernels-wasm": 35_700,
  "tensor-core": 53_200,
};
/** Entries measured instead of the whole: what inference alone imports. */
const ENTRIES = {
  "adapters-lora": 'export { LORA, LoraConfig } from "./src/index.ts";',
  "io-safetensors": 'export { openSafetensors } from "./src/index.ts";',
};

function sourceLines(folder) {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((f) => f.isFile() && f.name.endsWith(".ts") && !f.name.includes(".test.") && !f.parentPath.includes("generated"))
    .reduce((sum, f) => sum + readFileSync(join(f.parentPath, f.name), "utf8").split("\n").length, 0);
}

let failed = false;
for (const name of readdirSync(`${root}/packages`)) {
  const folder = `${root}/packages/${name}`;
  if (!existsSync(`${folder}/src/index.ts`)) continue;
  const contents = ENTRIES[name] ?? 'export * from "./src/index.ts";';
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: folder, loader: "ts" },
    bundle: true,
    minify: true,
    format: "esm",
    target: "es2022",
    write: false,
    external: ["@weft/*", "node:*", "webgpu", "re2js"],
  });
  const bytes = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  const limit = LIMITS[name];
  const over = limit !== undefined && bytes > limit;
  failed ||= over;
  process.stdout.write(
    `  ${name.padEnd(16)} ${String(sourceLines(`${folder}/src`)).padStart(6)} lines ${String(bytes).padStart(7)} B gz${limit ? ` of ${limit}${over ? " TOO LARGE" : ""}` : ""}\n`,
  );
}

/** What a page loads that opens a PEFT adapter and runs it, everything included; what it loads later, if at all, must not be in it. */
const { outputFiles, metafile } = await build({
  stdin: {
    contents: 'export { openAdapter } from "@weft/adapter-files"; export { PeftModel } from "./src/index.ts";',
    resolveDir: `${root}/packages/registry`,
    loader: "ts",
  },
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  splitting: true,
  outdir: "out",
  write: false,
  metafile: true,
});
const first = new Set();
const follow = (path) => {
  if (first.has(path)) return;
  first.add(path);
  for (const { path: next, kind } of metafile.outputs[path].imports) if (kind === "import-statement") follow(next);
};
follow(Object.keys(metafile.outputs).find((path) => metafile.outputs[path].entryPoint === "<stdin>"));
const gzipped = outputFiles
  .filter(({ path }) => [...first].some((name) => path.endsWith(name)))
  .reduce((sum, { contents }) => sum + gzipSync(contents, { level: 9 }).length, 0);
const stray = [...first]
  .flatMap((path) => Object.keys(metafile.outputs[path].inputs))
  .filter((input) => /re2js|\/conversions\.ts$/.test(input));
failed ||= stray.length > 0;
process.stdout.write(
  `  a page with PeftModel      ${gzipped} B gz${stray.length > 0 ? `, with ${stray.join(", ")}, WHICH FEW ADAPTERS NEED` : ""}\n`,
);
process.exitCode = failed ? 1 : 0;
