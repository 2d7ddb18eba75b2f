import { bytesPerElement, type DType, DTYPES, isFloat, tensor, type Shape, type Tensor } from "@weft/tensor-core";
import { isAnything } from "../bounds/bounds.js";
import { Evaluator } from "../bounds/evaluate.js";
import { build, type Built } from "../build.js";
import { leafValues } from "../leaf-values.js";
import { type Arg, type Content, type Leaf, Ref, type Statement } from "../program.js";
import type { Random } from "../random.js";

/** A tensor of the program so far, with what is known of its elements. */
export interface Value {
  readonly ref: Ref;
  readonly shape: Shape;
  readonly dtype: DType;
  /** Least and largest element, NaN and unknown ones aside. */
  readonly low: number;
  readonly high: number;
  /** All elements are finite numbers within known bounds. */
  readonly tame: boolean;
}

/** An argument with values in place of references. */
export type Given = Value | Arg | readonly Given[] | { readonly [name: string]: Given };

export interface Wish {
  readonly dtype?: DType | "float" | "integer" | "number";
  readonly rank?: readonly [low: number, high: number];
  /** No NaN, no infinities, of moderate size. */
  readonly tame?: boolean;
  readonly fits?: (value: Value) => boolean;
}

const LENGTHS = [1, 2, 3, 4, 5, 7, 8, 9, 16, 17];
const FLOATS: readonly DType[] = ["f32", "f32", "f32", "f32", "f16", "bf16", "bf16", "f8e4m3", "f8e5m2"];
const INTEGERS: readonly DType[] = ["i32", "i32", "i8", "u8"];
/** Elements of a tensor. */
const MOST = { small: 700, large: 24_000 };
/** Bounds this wide tell nothing. */
const LOOSE = 0.05;

/** Builds a program call by call, and knows at each step what every value is. */
export class Draw {
  readonly random: Random;
  readonly large: boolean;
  readonly program: Statement[] = [];
  readonly values: Value[] = [];
  private readonly evaluator = new Evaluator();
  private built: Built = new Map();

  /** @param large tensors that threads share out among themselves */
  constructor(random: Random, large: boolean) {
    this.random = random;
    this.large = large;
  }

  get most(): number {
    return this.large ? MOST.large : MOST.small;
  }

  length(): number {
    if (this.random.chance(0.015)) return 0;
    return this.large && this.random.chance(0.6) ? this.random.int(30, 150) : this.random.pick(LENGTHS);
  }

  shape(rank: number): number[] {
    for (;;) {
      const shape = Array.from({ length: rank }, () => this.length());
      if (shape.reduce((a, b) => a * b, 1) <= this.most) return shape;
    }
  }

  dtype(kind: Wish["dtype"] = "number"): DType {
    if (kind === "float") return this.random.pick(FLOATS);
    if (kind === "integer") return this.random.pick(INTEGERS);
    if (kind === "number") return this.random.chance(0.75) ? this.random.pick(FLOATS) : this.random.pick(INTEGERS);
    return kind;
  }

  /** A new constant. */
  leaf(shape: Shape, dtype: DType, content?: Content): Value {
    const leaf: Leaf = {
      id: this.program.length,
      leaf: content ?? (this.random.chance(0.06) ? "special" : "normal"),
      shape: [...shape],
      dtype,
      seed: this.random.int(1, 1e6),
    };
    return this.add(leaf)[0]!;
  }

  /** A value of the program that is as wished, or a new leaf. */
  value(wish: Wish = {}): Value {
    const { dtype = "number", rank = [0, 4], tame = false, fits } = wish;
    const kinds: readonly DType[] =
      dtype === "number" ? DTYPES : dtype === "float" ? DTYPES.filter(isFloat) : dtype === "integer" ? ["i32", "i8", "u8"] : [dtype];
    const found = this.values.filter(
      (v) =>
        kinds.includes(v.dtype) &&
        v.shape.length >= rank[0] &&
        v.shape.length <= rank[1] &&
        (!tame || (v.tame && Math.max(Math.abs(v.low), Math.abs(v.high)) < 1e3)) &&
        (!fits || fits(v)),
    );
    if (found.length > 0 && this.random.chance(0.8)) return this.random.pick(found);
    for (let i = 0; i < 20; i++) {
      const leaf = this.leaf(
        this.shape(this.random.int(Math.max(rank[0], Math.min(1, rank[1])), Math.min(rank[1], 3))),
        this.dtype(dtype),
        tame ? "normal" : undefined,
      );
      if (!fits || fits(leaf)) return leaf;
    }
    throw new Unsuitable("no leaf fits");
  }

  /** A value of exactly this shape. */
  shaped(shape: Shape, wish: Pick<Wish, "dtype" | "tame"> & { readonly content?: Content } = {}): Value {
    if (!wish.content) {
      const same = this.values.filter((v) => v.shape.join() === shape.join());
      if (same.length > 0 && this.random.chance(0.5)) {
        const pick = this.value({
          ...wish,
          rank: [shape.length, shape.length],
          fits: (v) => v.shape.join() === shape.join() || v.ref.of === this.program.length - 1,
        });
        if (pick.shape.join() === shape.join()) return pick;
      }
    }
    return this.leaf(shape, this.dtype(wish.dtype), wish.content ?? (wish.tame ? "normal" : undefined));
  }

  /** Calls a function on values; what tells too little is not used further. @throws Unsuitable if there is nothing left to use */
  call(fn: string, ...args: readonly Given[]): Value[] {
    const plain = (a: unknown): Arg =>
      typeof a === "object" && a !== null && "ref" in a
        ? (a as Value).ref
        : Array.isArray(a)
          ? (a as readonly unknown[]).map(plain)
          : typeof a === "object" && a !== null && !(a instanceof Ref)
            ? Object.fromEntries(Object.entries(a).map(([k, v]) => [k, plain(v)]))
            : (a as Arg);
    return this.add({ id: this.program.length, fn, args: args.map(plain) });
  }

  /** The graph of a value. */
  tensor({ ref }: Value): Tensor {
    return this.built.get(ref.of)![ref.result]!;
  }

  private add(s: Statement): Value[] {
    const made = build([s], (leaf) => tensor(leafValues(leaf), { shape: leaf.shape, dtype: leaf.dtype }), this.built);
    const results = made.get(s.id)!;
    // Small types hold nothing of the size of others; large results take for ever.
    if (results.some((t) => t.size > 4 * this.most)) throw new Unsuitable("too large");
    this.program.push(s);
    this.built = made;
    const values = results.map((t, i) => this.describe(t, new Ref(s.id, i)));
    const useful = values.filter((v) => v !== undefined);
    this.values.push(...useful);
    if (useful.length === 0) throw new Unsuitable("nothing is known of the results");
    return values as Value[];
  }

  /** Undefined if the bounds are so wide that they would hide faults. */
  private describe(t: Tensor, ref: Ref): Value | undefined {
    const bounds = this.evaluator.of(t);
    let [low, high, unknown, wide, tame] = [Infinity, -Infinity, 0, 0, true];
    const coarse = isFloat(t.dtype) ? LOOSE * (bytesPerElement(t.dtype) === 1 ? 20 : 1) : 0;
    for (let i = 0; i < bounds.lo.length; i++) {
      const [a, b] = [bounds.lo[i]!, bounds.hi[i]!];
      if (isAnything(bounds, i)) unknown++;
      else if (b - a > coarse * (1 + Math.abs(a))) wide++;
      if (!Number.isFinite(a) || !Number.isFinite(b)) tame = false;
      else [low, high] = [Math.min(low, a), Math.max(high, b)];
    }
    if (unknown + wide > bounds.lo.length / 3) return undefined;
    return { ref, shape: t.shape, dtype: t.dtype, low, high, tame };
  }
}

/** A draw that leads nowhere; the next one may. */
export class Unsuitable extends Error {}

/** One way to go on with a program. */
export type Generator = (draw: Draw) => unknown;
