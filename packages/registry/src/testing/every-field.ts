import { type Field, type FieldTable, sizeOf, type Tensor, tensor, torchGenerator, torchNormal, WeftError } from "@weft/tensor-core";

/** Values of a config by PEFT's names. */
export type FieldValues = { readonly [field: string]: unknown };

/** What is walked: the fields of one config, and how to see what a config does. */
export interface EveryField {
  readonly fields: FieldTable;
  /** A small config of the method. */
  readonly values: FieldValues;
  /** What has to be on for a field to matter. */
  readonly needs: { readonly [field: string]: FieldValues };
  /** Whether what a field is about cannot be seen in `effectOf`. */
  readonly isElsewhere: (field: string) => boolean;
  /** Values to try beside the usual ones. */
  readonly candidates?: readonly unknown[];
  /** All that a config does, refusals included. */
  readonly effectOf: (values: FieldValues) => Promise<string>;
}

const CANDIDATES: readonly unknown[] = [true, false, 0, 1, 2, 3, 4, 8, 0.5, 0.01, -2, ["x"], [1, 2], "x", { fc: 2 }, { fc: [true] }];

/** Other values that a field takes: those that its own check names, and of the usual ones those that pass. */
function others({ check, expected, fallback }: Field, candidates: readonly unknown[]): unknown[] {
  const named = [...expected.matchAll(/"([^"]*)"/g)].map(([, name]) => name);
  return [...named, ...candidates, ...CANDIDATES].filter((value) => check(value) && JSON.stringify(value) !== JSON.stringify(fallback));
}

/** The fields whose other values change nothing and are not refused. */
export async function silentFields({ fields, values, needs, isElsewhere, candidates = [], effectOf }: EveryField): Promise<string[]> {
  const silent: string[] = [];
  for (const [field, spec] of Object.entries(fields)) {
    if (isElsewhere(field)) continue;
    const rest = { ...values, ...needs[field] };
    const plain = await effectOf(rest);
    let acts = false;
    for (const value of others(spec, candidates)) acts ||= (await effectOf({ ...rest, [field]: value })) !== plain;
    if (!acts) silent.push(field);
  }
  return silent;
}

/** A result, or its refusal. */
export async function outcome(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await run();
  } catch (error) {
    if (error instanceof WeftError) return `refused: ${error.message}`;
    throw error;
  }
}

/** Normal values of standard deviation 0.3. */
export const drawn = (shape: readonly number[], seed: number): Tensor =>
  tensor(torchNormal(torchGenerator(seed), sizeOf(shape), 0, 0.3), { shape });

/** Other values for all tensors in f32. */
export const filled = (params: { readonly [name: string]: Tensor }, seed: number): { [name: string]: Tensor } =>
  Object.fromEntries(Object.entries(params).map(([name, t], i) => [name, t.dtype === "f32" ? drawn(t.shape, seed + i) : t]));

/** Four digits of each value. */
export const digits = async (t: Tensor): Promise<string[]> => [...(await t.data())].map((v) => v.toPrecision(4));
