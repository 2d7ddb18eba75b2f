import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** Engines that weft is measured against. They are no dependencies: only the bench installs them, in a folder of their own. */
const PACKAGES = {
  "onnxruntime-node": "1.30.0",
  "onnxruntime-web": "1.30.0",
  "@huggingface/tokenizers": "0.2.0",
  "@jax-js/jax": "0.1.25",
  "@tensorflow/tfjs-core": "4.22.0",
  "@tensorflow/tfjs-backend-wasm": "4.22.0",
} as const;

export interface Peers {
  /** Imports a package of the folder, or an entry of one. */
  load(name: keyof typeof PACKAGES | `${keyof typeof PACKAGES}/${string}`): Promise<unknown>;
  /** Folder of a package. */
  folder(name: keyof typeof PACKAGES): string;
  version(name: keyof typeof PACKAGES): string;
}

/** Installs the peers once (about 500 MB), without running any script of theirs. @returns undefined, with the reason in a note, if that fails */
export async function installPeers(bench: string, note: (text: string) => void): Promise<Peers | undefined> {
  const home = join(bench, ".peers");
  const folder = (name: string): string => join(home, "node_modules", name);
  const installed = (name: string): string | undefined =>
    existsSync(join(folder(name), "package.json"))
      ? (JSON.parse(readFileSync(join(folder(name), "package.json"), "utf8")) as { version: string }).version
      : undefined;
  const wanted = Object.entries(PACKAGES);
  if (wanted.some(([name, version]) => installed(name) !== version)) {
    note("installing the engines to compare with …");
    mkdirSync(home, { recursive: true });
    writeFileSync(join(home, "package.json"), '{ "private": true, "type": "module" }\n');
    const { status, stderr } = spawnSync(
      "npm",
      ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--save-exact", ...wanted.map(([name, version]) => `${name}@${version}`)],
      { cwd: home, encoding: "utf8" },
    );
    if (status !== 0) {
      note(`the engines to compare with could not be installed:\n${stderr}`);
      return undefined;
    }
  }
  // An import from within the folder, so that its packages are found under the conditions of Node.
  writeFileSync(join(home, "load.mjs"), "export const load = (name) => import(name);\n");
  const { load } = (await import(pathToFileURL(join(home, "load.mjs")).href)) as { load: (name: string) => Promise<unknown> };
  return { load, folder, version: (name) => PACKAGES[name] };
}
