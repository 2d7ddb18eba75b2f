import { type AdapterModule, type AdapterTensor, type OpenedAdapter, readAdapterTensor, specialForm } from "@weft/adapter-files";

/** Size of the weight change of one module. */
export interface DeltaNorm {
  readonly path: string;
  readonly rank: number;
  readonly scale: number;
  /** ‖s·B·A‖ (Frobenius); null if a factor is not finite. */
  readonly norm: number | null;
  readonly nonFinite: number;
}

/** A row-major matrix [rows, columns]. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: Float32Array | Int32Array;
}

/** M·Mᵀ of the rows, or MᵀM of the columns: [r, r], in f64. */
function gram({ rows, columns, values }: Matrix, ofRows: boolean): Float64Array {
  const [r, n] = ofRows ? [rows, columns] : [columns, rows];
  const [step, next] = ofRows ? [columns, 1] : [1, columns];
  const result = new Float64Array(r * r);
  for (let i = 0; i < r; i++) {
    for (let j = i; j < r; j++) {
      let sum = 0;
      for (let k = 0, a = i * step, b = j * step; k < n; k++, a += next, b += next) sum += values[a]! * values[b]!;
      result[i * r + j] = result[j * r + i] = sum;
    }
  }
  return result;
}

function countNonFinite({ values }: Matrix): number {
  let count = 0;
  for (const x of values) if (!Number.isFinite(x)) count++;
  return count;
}

async function matrix(adapter: OpenedAdapter, tensor: AdapterTensor): Promise<Matrix> {
  const t = await readAdapterTensor(adapter.weights, tensor);
  const rows = t.shape[0]!;
  return { rows, columns: t.size / rows, values: await t.data() };
}

const PAIRS = [
  ["lora_A.weight", "lora_B.weight"],
  ["lora_embedding_A", "lora_embedding_B"],
  ["lora_down.weight", "lora_up.weight"],
] as const;

/**
 * ‖ΔW‖ of a LoRA module without forming ΔW: ‖BA‖² = ⟨BᵀB, AAᵀ⟩, which takes r²·(in + out) products instead of r·in·out.
 * @returns undefined for modules that are not of this form (experts, grouped convolutions, variants of LoRA, other methods)
 */
export async function deltaNorm(
  adapter: OpenedAdapter,
  module: AdapterModule,
  scaleOf: (module: AdapterModule, rank: number) => number,
): Promise<DeltaNorm | undefined> {
  if (specialForm(adapter)?.plain === false) return undefined;
  for (const [nameA, nameB] of PAIRS) {
    const [a, b] = [module.tensors.get(nameA), module.tensors.get(nameB)];
    if (!a || !b || module.tensors.has("lora_mid.weight")) continue;
    const [A, B] = [await matrix(adapter, a), await matrix(adapter, b)];
    if (A.rows !== B.columns) return undefined;
    const scale = scaleOf(module, A.rows);
    const nonFinite = countNonFinite(A) + countNonFinite(B);
    const [ga, gb] = [gram(A, true), gram(B, false)];
    let squares = 0;
    for (let i = 0; i < ga.length; i++) squares += ga[i]! * gb[i]!;
    return {
      path: module.path,
      rank: A.rows,
      scale,
      norm: nonFinite > 0 ? null : Math.abs(scale) * Math.sqrt(Math.max(0, squares)),
      nonFinite,
    };
  }
  return undefined;
}
