import {
  abs,
  add,
  cast,
  ConfigError,
  equal,
  evaluate,
  FormatError,
  gather,
  iota,
  matmul,
  mean,
  mul,
  norm,
  type Params,
  reshape,
  sub,
  swapLast,
  tensor,
  type Tensor,
  where,
} from "@weft/tensor-core";
import type { AdaLoraConfigFields } from "./adalora.js";

/** A, E, B of every adapted module, by module path. */
export type AdaLoraParams = { readonly [path: string]: Params };

/** What names of the state begin with. @see peft `tuners/adalora/layer.py` RankAllocator */
const [SENSITIVITY, UNCERTAINTY, RANKS] = ["exp_avg_ipt.", "exp_avg_unc.", "rank_pattern."];

/** Running averages of one parameter: sensitivity Ī and uncertainty U. */
interface Importance {
  readonly sensitivity: Tensor;
  readonly uncertainty: Tensor;
}

/**
 * AdaLoRA's allocator of ranks. Called after every optimiser step, it tracks how much each triplet (A_i, E_i, B_i) matters and sets E_i to zero
 * for those that the budget leaves no room for; they may come back until the last allocation.
 *
 * I = |p·g|, Ī ← β1·Ī + (1-β1)·I, U ← β2·U + (1-β2)·|I - Ī|, score Ī·U; of a triplet: score(E_i) + mean score(A_i) + mean score(B_i).
 * @see Zhang et al. 2023, §3.2–3.3; peft `tuners/adalora/layer.py` RankAllocator, `model.py` update_and_allocate
 */
export class RankAllocator {
  private readonly config: AdaLoraConfigFields;
  private readonly totalStep: number;
  private importance = new Map<string, Importance>();
  private frozen: { readonly [path: string]: readonly boolean[] } | undefined;

  /** @throws ConfigError if `total_step` is missing or too short for `tinit` and `tfinal` */
  constructor(config: AdaLoraConfigFields) {
    const { totalStep, tinit, tfinal } = config;
    if (totalStep === null || totalStep <= 0) throw new ConfigError("AdaLoRA needs total_step, the number of training steps");
    if (tinit >= totalStep - tfinal)
      throw new ConfigError(`tinit is ${tinit}, but only ${totalStep - tfinal} steps come before the last ${tfinal} (tfinal)`);
    this.config = config;
    this.totalStep = totalStep;
  }

  /** Which triplets survive, once the last allocation has been made. */
  get ranks(): { readonly [path: string]: readonly boolean[] } | undefined {
    return this.frozen;
  }

  /**
   * What it has learnt so far, for a checkpoint, under PEFT's names: `exp_avg_ipt.<module>.<A|E|B>` and `exp_avg_unc.<…>` f32, and after the last allocation
   * `rank_pattern.<module>` i32 [init_r], 1 for triplets that survive. Empty before the first step.
   */
  state(): ReadonlyMap<string, Tensor> {
    const averages = [...this.importance].flatMap(([name, { sensitivity, uncertainty }]): [string, Tensor][] => [
      [`${SENSITIVITY}${name}`, sensitivity],
      [`${UNCERTAINTY}${name}`, uncertainty],
    ]);
    const ranks = Object.entries(this.frozen ?? {}).map(([path, keep]): [string, Tensor] => [`${RANKS}${path}`, bits(keep)]);
    return new Map([...averages, ...ranks]);
  }

  /**
   * Goes on from what `state` has given. @param state of an allocator of the same parameters; empty: from the beginning
   * @throws FormatError kind `bad-checkpoint` where it has no tensor of the right shape for one of them
   */
  async restore(state: ReadonlyMap<string, Tensor>, params: AdaLoraParams): Promise<void> {
    if (state.size === 0) return;
    const found = (name: string, shape: Tensor["shape"]): Tensor => {
      const own = state.get(name);
      if (own?.shape.join() === shape.join()) return own;
      throw new FormatError(`AdaLoRA's state has ${own ? `[${own.shape}]` : "nothing"} for ${name}, expected [${shape}]`, {
        kind: "bad-checkpoint",
        hint: "it is of another adapter: go on with the config that it was made with",
      });
    };
    const named = Object.entries(params).flatMap(([path, tensors]) =>
      Object.entries(tensors).map(([name, { shape }]) => [`${path}.${name}`, shape] as const),
    );
    this.importance = new Map(
      named.map(([name, shape]) => [
        name,
        { sensitivity: found(`${SENSITIVITY}${name}`, shape), uncertainty: found(`${UNCERTAINTY}${name}`, shape) },
      ]),
    );
    if (![...state.keys()].some((name) => name.startsWith(RANKS))) return;
    const ranks = Object.entries(params).map(async ([path, { E }]) => {
      const keep = await found(`${RANKS}${path}`, [E!.shape[0]!]).data();
      return [path, Array.from(keep, (bit) => bit === 1)] as const;
    });
    this.frozen = Object.fromEntries(await Promise.all(ranks));
  }

  /** The number of triplets that may be in use after `step`, and whether an allocation is due. `modules` of them begin with `init_r` each. */
  budget(step: number, modules: number): { budget: number; due: boolean } {
    const { initR, targetR, tinit, tfinal, deltaT } = this.config;
    const [first, last] = [initR * modules, targetR * modules];
    if (step <= tinit) return { budget: first, due: false };
    if (step > this.totalStep - tfinal) return { budget: last, due: true };
    const rest = 1 - (step - tinit) / (this.totalStep - tfinal - tinit);
    return { budget: Math.trunc((first - last) * rest ** 3 + last), due: step % deltaT === 0 };
  }

  /**
   * The vectors E after step number `step` (from 1 on), of parameters that the optimiser has just updated, and the gradients it used.
   * @returns E by path; the given tensors where nothing is masked
   */
  async update(step: number, params: AdaLoraParams, gradients: AdaLoraParams): Promise<{ readonly [path: string]: Tensor }> {
    const paths = Object.keys(params);
    const last = this.totalStep - this.config.tfinal;
    const unchanged = Object.fromEntries(paths.map((path) => [path, params[path]!.E!]));
    if (step > last) return this.frozen ? mask(params, this.frozen) : unchanged;
    if (step < last) await this.track(params, gradients);
    const { budget, due } = this.budget(step, paths.length);
    const pruned = this.config.initR * paths.length - budget;
    if ((!due && step !== last) || (pruned <= 0 && step !== last)) return unchanged;
    const keep = await this.choose(params, pruned);
    if (step === last) this.frozen = keep;
    return mask(params, keep);
  }

  /** Averages are computed now: the tensors that they are made of may be a step's, which takes their memory over. */
  private async track(params: AdaLoraParams, gradients: AdaLoraParams): Promise<void> {
    const { beta1, beta2 } = this.config;
    for (const [path, tensors] of Object.entries(params)) {
      for (const [name, p] of Object.entries(tensors)) {
        const now = abs(mul(p, gradients[path]![name]!));
        const before = this.importance.get(`${path}.${name}`);
        const sensitivity = decayed(before?.sensitivity, beta1, now);
        const uncertainty = decayed(before?.uncertainty, beta2, abs(sub(now, sensitivity)));
        this.importance.set(`${path}.${name}`, { sensitivity, uncertainty });
      }
    }
    await evaluate(...[...this.importance.values()].flatMap(({ sensitivity, uncertainty }) => [sensitivity, uncertainty]));
  }

  /** All triplets but the `pruned` least important ones (and what ties with them). */
  private async choose(params: AdaLoraParams, pruned: number): Promise<{ [path: string]: boolean[] }> {
    const score = (path: string, name: string): Tensor => {
      const { sensitivity, uncertainty } = this.importance.get(`${path}.${name}`)!;
      return mul(sensitivity, uncertainty);
    };
    const scores = new Map<string, ArrayLike<number>>();
    for (const path of Object.keys(params)) {
      const vectors = add(mean(score(path, "A"), { axes: [1] }), mean(swapLast(score(path, "B")), { axes: [1] }));
      scores.set(path, await add(reshape(score(path, "E"), [-1]), vectors).data());
    }
    const ascending = [...scores.values()].flatMap((values) => Array.from(values)).toSorted((a, b) => a - b);
    const threshold = pruned > 0 ? ascending[pruned - 1]! : -Infinity;
    return Object.fromEntries([...scores].map(([path, values]) => [path, Array.from(values, (value) => value > threshold)]));
  }
}

/** Booleans as i32. */
const bits = (keep: readonly boolean[]): Tensor => tensor(Int32Array.from(keep, Number));

/** An average with the newest value in it; before the first one it is 0. */
function decayed(old: Tensor | undefined, beta: number, value: Tensor): Tensor {
  const fresh = mul(value, 1 - beta);
  return old ? add(mul(old, beta), fresh) : fresh;
}

function mask(params: AdaLoraParams, keep: { readonly [path: string]: readonly boolean[] }): { [path: string]: Tensor } {
  return Object.fromEntries(
    Object.entries(params).map(([path, { E }]) => {
      return [path, where(cast(reshape(bits(keep[path]!), [-1, 1]), "bool"), E!, 0)];
    }),
  );
}

/** The surviving triplets of a module alone, as they are saved. */
export function pruneTriplets({ A, E, B }: Params, keep: readonly boolean[]): Params {
  const kept = Int32Array.from(keep.flatMap((survives, i) => (survives ? [i] : [])));
  const index = tensor(kept, { shape: [kept.length] });
  return { A: gather(A!, index, 0), E: gather(E!, index, 0), B: gather(B!, index, 1) };
}

/** ‖P·Pᵀ - I‖_F of the rows of P [r, n]. */
function distanceFromOrthogonal(p: Tensor): Tensor {
  const r = p.shape[0]!;
  const identity = cast(equal(iota([r, r], 0), iota([r, r], 1)), "f32");
  return norm(sub(matmul(p, swapLast(p)), identity));
}

/** What AdaLoRA adds to the loss: orth_reg_weight · the mean over all A and B of ‖A·Aᵀ - I‖_F and ‖Bᵀ·B - I‖_F. @see peft `tuners/adalora/model.py` forward */
export function orthogonalRegularizer(config: Pick<AdaLoraConfigFields, "orthRegWeight">, params: AdaLoraParams): Tensor {
  const terms = Object.values(params).flatMap(({ A, B }) => [distanceFromOrthogonal(A!), distanceFromOrthogonal(swapLast(B!))]);
  const total = terms.reduce((a, b) => add(a, b));
  return mul(total, config.orthRegWeight / terms.length);
}
