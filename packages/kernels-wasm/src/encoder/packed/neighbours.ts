import type { Instruction } from "@weft/tensor-core";
import { compute, decode } from "@weft/tensor-core/program";
import type { LoopCode } from "../loop-code.js";
import { ADD } from "../loop-code.js";
import { loadRaw, lookupRaw } from "../memory-code.js";
import type { Local } from "../wasm-lanes.js";
import { Bytes } from "./bytes.js";
import type { Facts } from "./facts.js";
import { interleaved, type Planes } from "./planes.js";

/** Where a program is read. */
export interface Place {
  /** Addresses of the operands' elements, or indices along an axis, at the first of the neighbours; of tables, where they begin. */
  readonly pointers: readonly Local[];
  /** Tables of sixteen entries by operand. */
  readonly planes: ReadonlyMap<number, Planes>;
  /** Values that are the same over more than these neighbours, and are computed already. */
  readonly known: ReadonlyMap<number, Local>;
}

/** Codes of a program's values for neighbours of a row (16, 4 or 1), each written when it is first asked for: as bytes where they fit, else in lanes of four. */
export class Neighbours {
  private readonly code: LoopCode;
  private readonly facts: Facts;
  private readonly place: Place;
  private readonly bytes: Bytes;
  private readonly lanes = new Map<string, Local>();
  private readonly sixteens = new Map<number, Local>();
  private readonly looked = new Map<number, readonly Local[]>();

  constructor(code: LoopCode, facts: Facts, place: Place) {
    this.code = code;
    this.facts = facts;
    this.place = place;
    this.bytes = new Bytes(code.w);
  }

  /** Four of the values, from number 4·`quad` on, as f32 or i32. */
  lane(v: number, quad: number): Local {
    const known = this.place.known.get(v);
    if (known !== undefined) return known;
    return this.remember(`${v} ${this.facts.same[v] ? 0 : quad}`, () => this.make(v, this.facts.same[v] ? 0 : quad));
  }

  private remember(key: string, make: () => Local): Local {
    let local = this.lanes.get(key);
    if (local === undefined) this.lanes.set(key, (local = make()));
    return local;
  }

  private make(v: number, quad: number): Local {
    const { code, facts } = this;
    const { w } = code;
    const { lanes } = w;
    const { instructions } = code.loop.program;
    const i = instructions[v]!;
    const exact = facts.exact[v];
    if (exact) return this.constant(exact.i, quad);
    if (facts.narrow[v]) return this.widened(v, quad);
    switch (i.op) {
      case "load": {
        const { dtype, inner } = code.loop.operands[i.input]!;
        return decode(lanes, loadRaw(w, dtype, inner, this.width, this.place.pointers[i.input]!, code.stride[i.input]!, quad * 4), dtype);
      }
      case "index": {
        const k = code.operandOf(i);
        const base = w.get(this.place.pointers[k]!).simd(0x11).keep();
        if (facts.same[v]) return base;
        const steps = w.constant(Int32Array.of(0, 1, 2, 3).map((step) => quad * 4 + step));
        if (code.loop.operands[k]!.inner === "contiguous") return lanes.iadd(base, steps);
        return lanes.iadd(base, lanes.imul(steps, w.get(code.stride[k]!).simd(0x11).keep()));
      }
      case "lookup":
        return decode(lanes, this.entries(v, i, quad), code.loop.operands[i.input]!.dtype);
      case "shiftLeft":
      case "shiftRight": {
        const [least, most] = facts.ranges[i.b]!;
        if (!facts.same[i.b] || least < 0 || most > 31 || facts.exact[i.b]) break;
        const by = w.get(this.lane(i.b, 0)).simd(0x1b, 0).set(code.i32());
        return w.shiftBy(i.op === "shiftLeft" ? "shl" : "shrS", this.lane(i.a, quad), by);
      }
      default:
    }
    return compute(
      lanes,
      i as Parameters<typeof compute>[1],
      (a) => this.lane(a, quad),
      (a) => instructions[a]!.dtype,
    );
  }

  private get width(): number {
    return Math.min(4, this.facts.count);
  }

  private constant(values: Int32Array, quad: number): Local {
    const { w } = this.code;
    if (values.every((x) => x === values[0])) return w.i32(values[0]!);
    return w.constant(values.slice(quad * 4, quad * 4 + 4));
  }

  /** Four of sixteen bytes as i32. */
  private widened(v: number, quad: number): Local {
    const signed = this.facts.ranges[v]![0] < 0;
    const half = this.remember(`${v} half ${quad >> 1}`, () => this.bytes.toHalves(this.sixteen(v), quad >> 1, signed));
    return this.bytes.toLanes(half, quad & 1, signed);
  }

  /** Raw bits of entries of a table. */
  private entries(v: number, i: Instruction & { readonly op: "lookup" }, quad: number): Local {
    const { code, facts } = this;
    const planes = facts.sixteen(i) && !facts.patterns[i.a] ? this.place.planes.get(i.input) : undefined;
    if (planes) {
      let all = this.looked.get(v);
      if (!all) this.looked.set(v, (all = interleaved(this.bytes, this.planesAt(planes, i.a))));
      return all[quad]!;
    }
    const { dtype, inner } = code.loop.operands[i.input]!;
    const offsets = facts.patterns[i.a]?.offsets.slice(quad * 4, quad * 4 + 4);
    const [table, stride] = [this.place.pointers[i.input]!, code.stride[i.input]!];
    return lookupRaw(code.w, dtype, inner, this.width, table, stride, this.lane(i.a, quad), offsets);
  }

  private planesAt({ bytes, relaxed }: Planes, index: number): Local[] {
    return bytes.map((plane) => this.bytes.lookup(plane, this.sixteen(index), relaxed));
  }

  /** All of the values as bytes. */
  private sixteen(v: number): Local {
    let local = this.sixteens.get(v);
    if (local === undefined) this.sixteens.set(v, (local = this.makeSixteen(v)));
    return local;
  }

  private makeSixteen(v: number): Local {
    const { code, facts, bytes } = this;
    const { w } = code;
    const i = code.loop.program.instructions[v]!;
    const exact = facts.exact[v];
    if (exact) return bytes.constant(Array.from({ length: 16 }, (_, lane) => exact.i[exact.i.length === 1 ? 0 : lane]!));
    if (facts.same[v]) return bytes.splat(this.lane(v, 0));
    switch (i.op) {
      case "load":
        return w.get(this.place.pointers[i.input]!).simd(0x00, 0, 0).keep();
      case "lookup":
        return facts.patterns[i.a] ? this.run(i) : this.planesAt(this.place.planes.get(i.input)!, i.a)[0]!;
      case "cast":
        return this.sixteen(i.a);
      case "shiftLeft":
        return bytes.shiftLeft(this.sixteen(i.a), facts.integer(i.b)!);
      case "shiftRight":
        return bytes.shiftRight(this.sixteen(i.a), facts.integer(i.b)!, facts.ranges[i.a]![0] < 0);
      case "where":
        return bytes.select(this.mask(i.a), this.sixteen(i.b), this.sixteen(i.c));
      default: {
        const bits = facts.bitsOfBytes(i);
        if (bits) return this.bitsOf(bits);
        const { op, a, b } = i as { readonly op: Parameters<Bytes["op"]>[0]; readonly a: number; readonly b: number };
        return bytes.op(op, this.sixteen(a), this.sixteen(b));
      }
    }
  }

  /** All bits of each byte where a condition holds. */
  private mask(v: number): Local {
    const exact = this.facts.exact[v];
    if (exact)
      return this.bytes.constant(Array.from({ length: 16 }, (_, lane) => (exact.i[exact.i.length === 1 ? 0 : lane] === 0 ? 0 : -1)));
    const { lanes } = this.code.w;
    return lanes.ine(this.lane(v, 0), lanes.i32(0));
  }

  /** Bytes of a table that lie within sixteen: one load. */
  private run({ input, a }: Instruction & { readonly op: "lookup" }): Local {
    const { code, bytes } = this;
    const { w } = code;
    const steps = this.facts.steps(a)!;
    w.get(this.place.pointers[input]!).get(this.lane(a, 0)).simd(0x1b, 0);
    code.op(ADD);
    const load = { 1: 0x08, 3: 0x5c, 7: 0x5d, 15: 0x00 }[Math.max(...steps)]!;
    const all = w.simd(load, 0, 0).keep();
    return steps.every((s, lane) => s === lane) ? all : bytes.shuffle(all, all, steps);
  }

  private bitsOf({ words, from, mask }: NonNullable<ReturnType<Facts["bitsOfBytes"]>>): Local {
    const { bytes } = this;
    const four = (quad: number): readonly number[] => [0, 1, 2, 3].map((lane) => lane * 4 + (from[quad * 4 + lane]! >> 3));
    const eight = (half: number): Local => {
      const both = [...four(2 * half), ...four(2 * half + 1).map((at) => at + 16)];
      return bytes.shuffle(this.lane(words, 2 * half), this.lane(words, 2 * half + 1), [...both, ...both]);
    };
    const all = bytes.shuffle(eight(0), eight(1), [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
    const masked = (shift: number): Local =>
      bytes.op("bitAnd", shift === 0 ? all : bytes.shiftRight(all, shift, false), bytes.constant(new Array<number>(16).fill(mask)));
    const [one, other] = [...new Set(from.map((s) => s & 7))] as [number, number?];
    if (other === undefined) return masked(one);
    return bytes.select(bytes.constant([...from].map((s) => ((s & 7) === one ? -1 : 0))), masked(one), masked(other));
  }
}
