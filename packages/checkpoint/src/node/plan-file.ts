import { createHash } from "node:crypto";
import { dirname, resolve } from "node:path";
import { hashFile, readSmallFile, writeFileAtomic } from "@weft/io-safetensors/node";
import { ConfigError } from "@weft/tensor-core";
import { planPath } from "./plan-path.js";
import type { MergeInput } from "./prepare.js";

/** A file that units are computed from. */
export interface PlannedInput {
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** A file of the output: what one process writes, whole or not at all, and any number of times with the same bytes. */
export interface Unit {
  readonly file: string;
  readonly bytes: number;
  /** SHA-256 of its header: what is in it, and where. */
  readonly header: string;
  /** Indices of the inputs that it is computed from. */
  readonly reads: readonly number[];
}

/** A merge that several processes share. */
export interface CheckpointPlan {
  readonly input: MergeInput;
  /** Modules that define some of the methods. */
  readonly methodFiles: readonly string[];
  readonly allowNonFinite: boolean;
  readonly inputs: readonly PlannedInput[];
  readonly units: readonly Unit[];
}

/** Raised whenever files of before could be misread. */
const VERSION = 1;

/** Paths on a disk, not names of the hub or URLs. */
const isPath = (path: string): boolean => !/^(hf|https?):/.test(path);

/** The plan with other paths. */
function withPaths(plan: CheckpointPlan, change: (path: string) => string): CheckpointPlan {
  const { input } = plan;
  const changed = (path: string): string => (isPath(path) ? change(path) : path);
  return {
    ...plan,
    input: { ...input, base: changed(input.base), adapters: input.adapters.map((one) => ({ ...one, path: changed(one.path) })) },
    methodFiles: plan.methodFiles.map(changed),
    inputs: plan.inputs.map((one) => ({ ...one, path: changed(one.path) })),
  };
}

/** Writes a plan. @see planPath */
export async function writePlan(file: string, plan: CheckpointPlan): Promise<void> {
  const folder = dirname(resolve(file));
  await writeFileAtomic(
    file,
    `${JSON.stringify({ weft: "plan", version: VERSION, ...withPaths(plan, (path) => planPath(folder, path)) }, undefined, 2)}\n`,
  );
}

/** @throws ConfigError kind `bad-plan`; IoError */
export function readPlan(file: string): { readonly plan: CheckpointPlan; readonly id: string } {
  const text = readSmallFile(file).toString("utf8");
  const plan = parsePlan(text, file);
  return { plan: withPaths(plan, (path) => resolve(dirname(file), path)), id: createHash("sha256").update(text).digest("hex") };
}

function parsePlan(text: string, file: string): CheckpointPlan {
  const bad = (why: string, cause?: unknown): ConfigError =>
    new ConfigError(`${file}: this is no plan of weft's: ${why}`, { kind: "bad-plan", file, hint: "weft plan writes one", cause });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw bad("it is not valid JSON", cause);
  }
  const { weft, version, ...plan } = (typeof value === "object" && value !== null ? value : {}) as { readonly [field: string]: unknown };
  if (weft !== "plan") throw bad('it does not say "weft": "plan"');
  if (version !== VERSION) throw bad(`it has version ${String(version)}, expected ${VERSION}; plan again`);
  const { input, methodFiles, allowNonFinite, inputs, units } = plan;
  const isText = (v: unknown): boolean => typeof v === "string";
  const every = (list: unknown, test: (entry: { readonly [field: string]: unknown }) => boolean): boolean =>
    Array.isArray(list) &&
    list.every((entry) => typeof entry === "object" && entry !== null && test(entry as { readonly [field: string]: unknown }));
  const { base, adapters } = (typeof input === "object" && input !== null ? input : {}) as { readonly [field: string]: unknown };
  if (!isText(base) || !every(adapters, ({ path, scale }) => isText(path) && Number.isFinite(scale)))
    throw bad("what is merged is not in it");
  if (!Array.isArray(methodFiles) || !methodFiles.every(isText) || typeof allowNonFinite !== "boolean")
    throw bad("its settings are not whole");
  if (!every(inputs, ({ path, bytes, sha256 }) => isText(path) && Number.isInteger(bytes) && isText(sha256)))
    throw bad("its inputs are not whole");
  const isInput = (i: unknown): boolean => Number.isInteger(i) && (i as number) >= 0 && (i as number) < (inputs as unknown[]).length;
  if (
    !every(
      units,
      (u) => isText(u.file) && Number.isInteger(u.bytes) && isText(u.header) && Array.isArray(u.reads) && u.reads.every(isInput),
    )
  )
    throw bad("its units are not whole");
  return plan as unknown as CheckpointPlan;
}

/** Refuses inputs that are not those of the plan, by their bytes. @throws ConfigError kind `input-changed`; IoError */
export async function checkInputs(inputs: readonly PlannedInput[], plan: string): Promise<void> {
  for (const { path, bytes, sha256 } of inputs) {
    const found = await hashFile(path);
    if (found === sha256) continue;
    throw new ConfigError(`${path}: it is not the file that was planned with: SHA-256 ${found}, expected ${sha256} (${bytes} bytes)`, {
      kind: "input-changed",
      file: path,
      hint: `plan again, or put back the file that ${plan} was made of`,
    });
  }
}
