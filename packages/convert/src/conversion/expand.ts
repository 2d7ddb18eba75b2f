import type { ConvertModule } from "./convert-module.js";
import { computed, type LazyTensor, reshaped, valuesOf } from "./lazy-tensor.js";

/** A row-major matrix. */
interface Matrix {
  readonly rows: number;
  readonly columns: number;
  readonly values: ArrayLike<number>;
}

const product = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

async function matrix(t: LazyTensor): Promise<Matrix> {
  return { rows: t.shape[0]!, columns: product(t.shape.slice(1)), values: await valuesOf(t) };
}

const transposed = ({ rows, columns, values }: Matrix): Matrix => ({
  rows: columns,
  columns: rows,
  values: Float64Array.from({ length: rows * columns }, (_, at) => values[(at % rows) * columns + Math.floor(at / rows)]!),
});

/** Σ_q core[p, q, κ]·b[q, i] as [p, i·κ]: a Tucker core worked into its right factor. */
function withCore(core: Matrix, b: Matrix): Matrix {
  const [p, q, kernel] = [core.rows, b.rows, core.columns / b.rows];
  const values = new Float64Array(p * b.columns * kernel);
  for (let row = 0; row < p; row++)
    for (let k = 0; k < q; k++)
      for (let i = 0; i < b.columns; i++)
        for (let at = 0; at < kernel; at++)
          values[(row * b.columns + i) * kernel + at]! += core.values[(row * q + k) * kernel + at]! * b.values[k * b.columns + i]!;
  return { rows: p, columns: b.columns * kernel, values };
}

/** a ⊗ b. */
function kronecker(a: Matrix, b: Matrix): Matrix {
  const [rows, columns] = [a.rows * b.rows, a.columns * b.columns];
  const values = new Float64Array(rows * columns);
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < a.columns; j++)
      for (let k = 0; k < b.rows; k++)
        for (let l = 0; l < b.columns; l++)
          values[(i * b.rows + k) * columns + j * b.columns + l] = a.values[i * a.columns + j]! * b.values[k * b.columns + l]!;
  return { rows, columns, values };
}

const identity = (n: number): Matrix => ({
  rows: n,
  columns: n,
  values: Float64Array.from({ length: n * n }, (_, at) => (at % (n + 1) === 0 ? 1 : 0)),
});

/** Products of all pairs of rows, element by element: [n·m, columns]. */
function rowProducts(a: Matrix, b: Matrix): Matrix {
  const values = new Float64Array(a.rows * b.rows * a.columns);
  for (let i = 0; i < a.rows; i++)
    for (let j = 0; j < b.rows; j++)
      for (let c = 0; c < a.columns; c++)
        values[(i * b.rows + j) * a.columns + c] = a.values[i * a.columns + c]! * b.values[j * b.columns + c]!;
  return { rows: a.rows * b.rows, columns: a.columns, values };
}

interface Factors {
  readonly up: Matrix;
  readonly down: Matrix;
}

type Read = (name: string) => Promise<Matrix>;

async function loconFactors(read: Read): Promise<Factors> {
  const [up, mid, down] = await Promise.all([read("lora_up.weight"), read("lora_mid.weight"), read("lora_down.weight")]);
  return { up, down: withCore(mid, down) };
}

/** (a₁b₁) ⊙ (a₂b₂) has the factors up[o, (p, q)] = a₁[o, p]·a₂[o, q] and down[(p, q), i] = b₁[p, i]·b₂[q, i]. */
async function lohaFactors(read: Read, tucker: boolean): Promise<Factors> {
  const half = async (n: 1 | 2): Promise<readonly [Matrix, Matrix]> => {
    const [a, b] = [await read(`hada_w${n}_a`), await read(`hada_w${n}_b`)];
    return tucker ? [a, withCore(await read(`hada_t${n}`), b)] : [transposed(a), b];
  };
  const [[a1, b1], [a2, b2]] = [await half(1), await half(2)];
  return { up: transposed(rowProducts(a1, a2)), down: rowProducts(b1, b2) };
}

/** (a·b) ⊗ (c·d) = (a ⊗ c)·(b ⊗ d), with the identity for what is not factored, on the side where the rank stays smaller. */
async function lokrFactors(read: Read, parameters: ConvertModule["parameters"]): Promise<Factors> {
  const pair = async (n: 1 | 2): Promise<readonly [Matrix, Matrix] | Matrix> => {
    if (parameters.has(`lokr_w${n}`)) return read(`lokr_w${n}`);
    const [a, b] = [await read(`lokr_w${n}_a`), await read(`lokr_w${n}_b`)];
    return n === 2 && parameters.has("lokr_t2") ? [transposed(a), withCore(await read("lokr_t2"), b)] : [a, b];
  };
  const [first, second] = [await pair(1), await pair(2)];
  const split = (whole: readonly [Matrix, Matrix] | Matrix): readonly [Matrix, Matrix] => {
    if (Array.isArray(whole)) return whole as readonly [Matrix, Matrix];
    const m = whole as Matrix;
    return m.columns <= m.rows ? [m, identity(m.columns)] : [identity(m.rows), m];
  };
  const [[a, b], [c, d]] = [split(first), split(second)];
  return { up: kronecker(a, c), down: kronecker(b, d) };
}

/** Last parts of names of convolutions, whose kernels flat factors do not tell. */
const CONVOLUTION = /(?:^|\.)(?:conv\w*|skip_connection|op|in_layers\.2|out_layers\.3)$/;

/**
 * The same change as a plain LoRA, exactly: Tucker cores are worked into the down factor (same rank); LoHa has rank r², LoKr the product of the
 * ranks of its halves. Computed factors are f32.
 * @returns the module, or why it has no such form
 */
export function asPlainLora(module: ConvertModule): ConvertModule | string {
  const { method, parameters, rank } = module;
  if (method === "LOCON" && !parameters.has("lora_mid.weight")) return module;
  if (method === "FULL" && !parameters.has("diff")) return "a change of the bias alone (diff_b) has no form as LoRA here";
  if (rank === undefined || !["LOCON", "LOHA", "LOKR"].includes(method)) return `${method} is no product of low rank`;
  if (parameters.has("dora_scale") && method !== "LOCON") return `${method} with magnitudes (DoRA) has no form as LoRA here`;
  if (method === "LOKR" && parameters.has("lokr_w1") && parameters.has("lokr_w2"))
    return "neither half of this LoKr is factored: only an SVD would make it a LoRA";
  const shape = weightShape(module);
  if (typeof shape === "string") return shape;
  const ranks = newRank(module);
  const [out, ...inputs] = shape;
  if (ranks > Math.min(out!, product(inputs)) && method === "LOHA")
    return `its rank as LoRA would be ${ranks}, more than the weight [${shape.join(",")}] has`;
  let factors: Promise<Factors> | undefined;
  const read: Read = (name) => matrix(parameters.get(name)!);
  const get = (): Promise<Factors> =>
    (factors ??=
      method === "LOCON"
        ? loconFactors(read)
        : method === "LOHA"
          ? lohaFactors(read, parameters.has("hada_t1"))
          : lokrFactors(read, parameters));
  const ones = inputs.slice(1).map(() => 1);
  const kept = parameters.get("dora_scale");
  return {
    ...module,
    method: "LOCON",
    rank: ranks,
    parameters: new Map<string, LazyTensor>([
      ["lora_down.weight", computed("F32", [ranks, ...inputs], async () => (await get()).down.values)],
      [
        "lora_up.weight",
        method === "LOCON"
          ? reshaped(parameters.get("lora_up.weight")!, [out!, ranks, ...ones])
          : computed("F32", [out!, ranks, ...ones], async () => (await get()).up.values),
      ],
      ...(kept ? ([["dora_scale", kept]] as const) : []),
    ]),
  };
}

function newRank({ method, parameters, rank }: ConvertModule): number {
  if (method === "LOCON") return parameters.get("lora_mid.weight")!.shape[0]!;
  if (method === "LOHA") return rank! * rank!;
  const half = (n: 1 | 2): number => {
    const whole = parameters.get(`lokr_w${n}`)?.shape;
    return whole ? Math.min(whole[0]!, product(whole.slice(1))) : parameters.get(`lokr_w${n}_b`)!.shape[0]!;
  };
  return half(1) * half(2);
}

/** [out, in, *kernel] as far as base, cores and names tell. */
function weightShape({ method, parameters, path, weightShape: inBase }: ConvertModule): readonly number[] | string {
  if (inBase) return inBase;
  const shape = (name: string): readonly number[] => parameters.get(name)!.shape;
  if (method === "LOCON") return [shape("lora_up.weight")[0]!, shape("lora_down.weight")[1]!, ...shape("lora_mid.weight").slice(2)];
  const loha = method === "LOHA";
  const core = parameters.get(loha ? "hada_t1" : "lokr_t2")?.shape;
  const whole = parameters.get("lokr_w2")?.shape;
  if (!core && (whole?.length ?? 0) < 3 && CONVOLUTION.test(path))
    return "the kernel of this convolution is not in the file: give the base with --base";
  if (loha)
    return core ? [shape("hada_w1_a")[1]!, shape("hada_w1_b")[1]!, ...core.slice(2)] : [shape("hada_w1_a")[0]!, shape("hada_w1_b")[1]!];
  const [out1, in1] = parameters.has("lokr_w1") ? (shape("lokr_w1") as [number, number]) : [shape("lokr_w1_a")[0]!, shape("lokr_w1_b")[1]!];
  if (whole) return [out1 * whole[0]!, in1 * whole[1]!, ...whole.slice(2)];
  const [a, b] = [shape("lokr_w2_a"), shape("lokr_w2_b")];
  return core ? [out1 * a[1]!, in1 * b[1]!, ...core.slice(2)] : [out1 * a[0]!, in1 * b[1]!];
}
