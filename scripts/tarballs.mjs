// The packages as they would be published, looked into, compiled against and run outside the workspace. Needs a build and types.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { outside, report, runNode } from "./outside.mjs";
import { root } from "./setup.mjs";
import { published } from "./workspace.mjs";

/** What a package has that is for the workspace only, and what it lacks. */
function look(folder) {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name: file }) =>
      join(parentPath, file)
        .slice(folder.length + 1)
        .replaceAll("\\", "/"),
    );
  const { exports = {}, bin = {}, files: listed = [] } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const entries = [...Object.values(exports).flatMap((entry) => Object.values(entry)), ...Object.values(bin)];
  const needed = ["README.md", "LICENSE", "package.json", ...entries.map((path) => path.replace("./", ""))];
  // A program needs no types; a library's testing kit is for users where it is an entry.
  const strange = Object.keys(bin).length > 0 ? /\.ts$/ : exports["./testing"] ? /\.test\./ : /\.test\.|\/testing\//;
  // Folders beside the code, such as weights, are published if they are listed.
  const expected = (path) =>
    /^dist\/.*\.(js|d\.ts)$/.test(path) || listed.some((entry) => entry !== "dist" && path.startsWith(`${entry}/`));
  const stray = files.filter((path) => strange.test(path) || !expected(path)).filter((path) => !needed.includes(path));
  const missing = needed.filter((path) => !files.includes(path));
  return [
    ...(stray.length > 0 ? [`has what is not for users: ${stray.join(", ")}`] : []),
    ...(missing.length > 0 ? [`lacks ${missing.join(", ")}`] : []),
  ];
}

/** Compiles a program of somebody's strictly, with TypeScript's two ways of finding packages. */
function compile(at, program, { types, lib }) {
  for (const [module, moduleResolution] of [
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
  ]) {
    const options = { target: "es2022", lib, types, module, moduleResolution, strict: true, skipLibCheck: false, declaration: true };
    const config = join(at, `tsconfig.${program}.${moduleResolution}.json`);
    writeFileSync(config, JSON.stringify({ compilerOptions: { ...options, outDir: "out" }, files: [`${program}.ts`] }));
    const tsc = join(root, "node_modules/typescript/bin/tsc");
    report(`${program}.ts compiles, ${moduleResolution}`, runNode([tsc, "-p", config], at).complaints);
  }
}

await outside(({ at, installed }) => {
  for (const { manifest } of published) report(manifest.name, look(join(installed, manifest.name)));
  // Tensors, devices and errors of two copies do not know each other.
  const copies = readdirSync(installed, { recursive: true }).filter((path) => /@weft[\\/][\w-]+[\\/]package\.json$/.test(path));
  report(
    "one copy of each package is installed",
    copies.filter((path) => path.split(/[\\/]/).length > 3),
  );
  compile(at, "page", { types: [], lib: ["es2022", "dom", "dom.iterable"] });
  compile(at, "node", { types: ["node"], lib: ["es2022"] });
  report("program.js runs", runNode(["forward.mjs", "./program.js", join(root, "fixtures/peft")], at).complaints);

  const weft = join(installed, "@weft/cli/dist/weft.js");
  const { version } = published.find(({ manifest }) => manifest.name === "@weft/cli").manifest;
  const says = runNode([weft, "--version"], at).stdout.trim();
  report("weft --version", says === version ? [] : [`says ${says}, the package ${version}`]);
  const { stdout, complaints } = runNode([weft, "inspect", join(root, "fixtures/peft/llama_lora")], at);
  report("weft inspect", [...complaints, ...(stdout.includes("LORA (peft keys)") ? [] : [`said ${stdout}`])]);
});
