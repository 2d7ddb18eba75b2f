import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly dependencies?: { readonly [name: string]: string };
  readonly publishConfig?: { readonly exports?: unknown };
}

const manifestOf = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

/**
 * Lays built packages out as npm would install them. Inside the workspace their names lead to TypeScript sources; a user gets `dist`.
 * @returns the folder that imports resolve from
 */
export function layOutInstalled(root: string, names: readonly string[], to: string): string {
  rmSync(to, { recursive: true, force: true });
  for (const name of names) {
    const folder = join(root, "packages", name);
    const manifest = manifestOf(folder);
    const home = join(to, "node_modules", manifest.name);
    mkdirSync(home, { recursive: true });
    cpSync(join(folder, "dist"), join(home, "dist"), { recursive: true });
    writeFileSync(
      join(home, "package.json"),
      JSON.stringify({ name: manifest.name, version: manifest.version, type: "module", exports: manifest.publishConfig?.exports }),
    );
    for (const dependency of Object.keys(manifest.dependencies ?? {}).filter((d) => !d.startsWith("@weft/"))) {
      cpSync(packageFolder(folder, dependency), join(to, "node_modules", dependency), { recursive: true, dereference: true });
    }
  }
  return to;
}

/** The folder of a dependency, as seen from a package. */
function packageFolder(from: string, name: string): string {
  let folder = dirname(createRequire(join(from, "package.json")).resolve(name));
  while (!folder.endsWith(join("node_modules", name))) {
    if (folder === dirname(folder)) throw new Error(`${name} is not installed`);
    folder = dirname(folder);
  }
  return folder;
}
