import type { Instruction } from "@weft/tensor-core";
import { compute, decode } from "@weft/tensor-core/program";
import { ADD, MUL } from "../loop-code.js";
import { loadRaw, lookupRaw } from "../memory-code.js";
import type { Local } from "../wasm-lanes.js";
import { Bytes } from "./bytes.js";
import type { Facts } from "./facts.js";
import type { MatrixCode } from "./matrix-code.js";
import { type IntegerPlanes, interleaved, type Planes } from "./planes.js";

/** Where a program is read. */
export interface Place {
  /** Addresses of the operands' elements, or indices along an axis, at the first of the neighbours; of tables, where they begin. */
  readonly pointers: readonly Local[];
  /** Tables of sixteen entries by operand. */
  readonly planes: ReadonlyMap<number, Planes>;
  /** A value that is the same for the sixteen with this number, or for all of them, and is computed already. */
  known(v: number, part: number): Local | undefined;
  /** What is the same for several of these, as computed outside of the loop over them. */
  readonly outside?: { same(v: number): boolean; readonly of: Neighbours };
  /** The integer, as i32, that a value is at the first of the neighbours, if it is computed already. */
  first?(v: number): Local | undefined;
  /** An address in a table, and how many bytes behind it the entry is that the first of the neighbours looks up by an index, if it is computed already. */
  entry?(table: number, index: number): { readonly at: Local; readonly ahead: number } | undefined;
}

/** Codes of a program's values for neighbours of a row (64, 16, 4 or 1), each written when it is first asked for: as bytes where they fit, else in lanes of four. */
export class Neighbours {
  private readonly code: MatrixCode;
  private readonly facts: Facts;
  private readonly place: Place;
  private readonly bytes: Bytes;
  private readonly lanes = new Map<string, Local>();
  private readonly looked = new Map<string, readonly Local[]>();

  constructor(code: MatrixCode, facts: Facts, place: Place) {
    this.code = code;
    this.facts = facts;
    this.place = place;
    this.bytes = new Bytes(code.w);
  }

  /** Four of the values, from number 4·`quad` on, as f32 or i32. */
  lane(v: number, quad: number): Local {
    const { outside } = this.place;
    if (outside?.same(v)) return outside.of.lane(v, quad);
    const known = this.place.known(v, quad >> 2);
    if (known !== undefined) return known;
    const at = quad - (quad % this.alike(v));
    return this.remember(`${v} ${at}`, () => this.make(v, at));
  }

  /** Quads of neighbours that have one value. */
  private alike(v: number): number {
    for (let count = this.facts.count; count >= 16; count /= 2) if (this.code.facts(count).same[v]) return count / 4;
    return this.facts.same[v] ? this.facts.count : 1;
  }

  /** Eight integers that are computed as bytes, as i16. */
  halves(v: number, eight: number): Local {
    return this.bytes.toHalves(this.sixteen(v, eight >> 1), eight & 1, this.facts.ranges[v]![0] < 0);
  }

  /** Eight entries of a table of sixteen, as i16. */
  integers({ bytes }: IntegerPlanes, index: number, relaxed: boolean, eight: number): Local {
    const [low, high] = bytes.map((plane, k) =>
      this.remember(`${index} integers ${k} ${eight >> 1}`, () => this.bytes.lookup(plane, this.sixteen(index, eight >> 1), relaxed)),
    ) as [Local, Local];
    return this.bytes.interleave(low, high, eight & 1, 1);
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
        const by = this.first(i.b);
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

  /** The integer at the first of the neighbours. */
  private first(v: number): Local {
    return this.place.first?.(v) ?? this.code.w.get(this.lane(v, 0)).simd(0x1b, 0).set(this.code.i32());
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
    const half = this.remember(`${v} half ${quad >> 1}`, () => this.bytes.toHalves(this.sixteen(v, quad >> 2), (quad >> 1) & 1, signed));
    return this.bytes.toLanes(half, quad & 1, signed);
  }

  /** Raw bits of entries of a table. */
  private entries(v: number, i: Instruction & { readonly op: "lookup" }, quad: number): Local {
    const { code, facts } = this;
    const planes = facts.sixteen(i) && !facts.patterns[i.a] ? this.place.planes.get(i.input) : undefined;
    if (planes) {
      const [key, part] = [`${v} ${quad >> 2}`, quad >> 2];
      let all = this.looked.get(key);
      if (!all) this.looked.set(key, (all = interleaved(this.bytes, this.planesAt(planes, i.a, part))));
      return all[quad & 3]!;
    }
    const { dtype, inner } = code.loop.operands[i.input]!;
    const offsets = facts.patterns[i.a]?.offsets.slice(quad * 4, quad * 4 + 4);
    const steps = inner === "contiguous" && this.width === 4 ? facts.steps(i.a)?.slice(quad * 4, quad * 4 + 4) : undefined;
    if (steps?.every((s, lane) => s === steps[0]! + lane && s >= 0))
      return loadRaw(code.w, dtype, inner, 4, this.startOf(i), code.stride[i.input]!, steps[0]);
    const [table, stride] = [this.place.pointers[i.input]!, code.stride[i.input]!];
    return lookupRaw(code.w, dtype, inner, this.width, table, stride, this.lane(i.a, quad), offsets);
  }

  private planesAt({ bytes, relaxed }: Planes, index: number, part: number): Local[] {
    return bytes.map((plane) => this.bytes.lookup(plane, this.sixteen(index, part), relaxed));
  }

  /** Sixteen of the values as bytes. */
  sixteen(v: number, part: number): Local {
    const { outside } = this.place;
    if (outside?.same(v)) return outside.of.sixteen(v, part);
    return this.remember(`${v} part ${part}`, () => this.makeSixteen(v, part));
  }

  private makeSixteen(v: number, part: number): Local {
    const { code, facts, bytes } = this;
    const { w } = code;
    const i = code.loop.program.instructions[v]!;
    const exact = this.exact(v, part);
    if (exact) return bytes.constant(exact);
    if (facts.same[v] || this.place.known(v, part) !== undefined) return bytes.splat(this.lane(v, part * 4));
    const of = (a: number): Local => this.sixteen(a, part);
    switch (i.op) {
      case "load":
        return w
          .get(this.place.pointers[i.input]!)
          .memory(0x00, part * 16)
          .keep();
      case "lookup":
        return facts.patterns[i.a] ? this.run(i, part) : this.planesAt(this.place.planes.get(i.input)!, i.a, part)[0]!;
      case "cast":
        return of(i.a);
      case "shiftLeft":
        return bytes.shiftLeft(of(i.a), facts.shift(i.b, part)!);
      case "shiftRight":
        return bytes.shiftRight(of(i.a), facts.shift(i.b, part)!, facts.ranges[i.a]![0] < 0);
      case "where": {
        const mask = this.exact(i.a, part);
        if (mask?.every((x) => (x === 0) === (mask[0] === 0))) return of(mask[0] === 0 ? i.c : i.b);
        const [even, odd] = mask?.every((x, lane) => (x === 0) === (lane % 2 === 1))
          ? [i.b, i.c].map((v) => this.paired(v, part >> 1))
          : [];
        if (even !== undefined && odd !== undefined) return bytes.interleave(even, odd, part & 1, 1);
        return bytes.select(this.mask(i.a, part), of(i.b), of(i.c));
      }
      default: {
        const [bits, bit] = [facts.bitsOfBytes(i), facts.oneBit(i)];
        if (bits) return this.bitsOf(bits, part);
        if (bit) {
          const places = bytes.constant(Array.from(bit.from.subarray(part * 16, part * 16 + 16), (s) => 1 << s));
          const found = bytes.op("equal", bytes.op("bitAnd", of(bit.bytes), places), places);
          return bytes.op("bitAnd", found, bytes.constant(new Array<number>(16).fill(1)));
        }
        const { op, a, b } = i as { readonly op: Parameters<Bytes["op"]>[0]; readonly a: number; readonly b: number };
        return bytes.op(op, of(a), of(b));
      }
    }
  }

  /** Sixteen values that are known beforehand. */
  private exact(v: number, part: number): readonly number[] | undefined {
    const values = this.facts.exact[v]?.i;
    return values && Array.from({ length: 16 }, (_, lane) => values[values.length === 1 ? 0 : part * 16 + lane]!);
  }

  /** All bits of each byte where a condition holds. */
  private mask(v: number, part: number): Local {
    const exact = this.exact(v, part);
    if (exact) return this.bytes.constant(exact.map((x) => (x === 0 ? 0 : -1)));
    const { lanes } = this.code.w;
    return lanes.ine(this.lane(v, part * 4), lanes.i32(0));
  }

  /** Sixteen bytes that are those of 32 values, as each two neighbours have the same one; undefined if they have not. */
  private paired(v: number, pair: number): Local | undefined {
    const { code, facts, bytes } = this;
    const i = code.loop.program.instructions[v]!;
    const exact = this.exact(v, pair * 2);
    if (exact) return facts.same[v] ? bytes.constant(exact) : undefined;
    if (!facts.narrow[v]) return undefined;
    const of = (a: number): Local | undefined => this.paired(a, pair);
    switch (i.op) {
      case "lookup": {
        const steps = [0, 1].flatMap((k) => facts.steps(i.a, pair * 2 + k) ?? []);
        if (!steps.every((s, lane) => s === steps[0]! + (lane >> 1)) || steps.length === 0) return undefined;
        return this.entriesFrom(i, steps[0]!, 15);
      }
      case "cast":
        return of(i.a);
      case "shiftRight":
      case "bitAnd": {
        const a = of(i.a);
        if (a === undefined) return undefined;
        const by = i.op === "bitAnd" ? of(i.b) : facts.integer(i.b);
        if (by === undefined) return undefined;
        const make = (): Local => (i.op === "bitAnd" ? bytes.op("bitAnd", a, by) : bytes.shiftRight(a, by, facts.ranges[i.a]![0] < 0));
        return this.remember(`${v} pair ${pair}`, make);
      }
      default:
        return undefined;
    }
  }

  /** Bytes of a table that lie within sixteen: one load, also for others that look up the same ones. */
  private run(i: Instruction & { readonly op: "lookup" }, part: number): Local {
    const { bytes } = this;
    const steps = this.facts.steps(i.a, part)!;
    const from = steps[0]!;
    const length = Math.max(...steps) - from;
    const all = this.entriesFrom(i, from, length);
    if (steps.every((s, lane) => s - from === lane)) return all;
    return this.remember(`run ${i.input} ${i.a} ${steps.join()}`, () =>
      bytes.shuffle(
        all,
        all,
        steps.map((s) => s - from),
      ),
    );
  }

  /** Address of the entry of a table that the first of the neighbours looks up. */
  private startOf({ input, a }: { readonly input: number; readonly a: number }): Local {
    const { code } = this;
    return this.remember(`start ${input} ${a}`, () => {
      code.w.get(this.place.pointers[input]!).get(this.first(a)).i32Const(code.unit(input));
      return code.op(MUL).op(ADD).w.set(code.i32());
    });
  }

  /** Bytes of a table from so many behind the first neighbour's on: `last` + 1 of them at least. */
  private entriesFrom({ input, a }: { readonly input: number; readonly a: number }, from: number, last: number): Local {
    const { code } = this;
    const { w } = code;
    const known = this.place.entry?.(input, a);
    const start = known?.at ?? this.startOf({ input, a });
    const behind = from + (known?.ahead ?? 0);
    return this.remember(`entries ${input} ${start} ${behind} ${last}`, () => {
      const load = { 1: 0x08, 3: 0x5c, 7: 0x5d, 15: 0x00 }[last]!;
      w.get(start);
      if (behind < 0) {
        w.i32Const(behind);
        code.op(ADD);
      }
      return w.memory(load, Math.max(0, behind)).keep();
    });
  }

  /** The bytes of sixteen words in which some bits lie; `from` is where. */
  private bytesOfWords(words: number, from: Int32Array, part: number): Local {
    const { bytes } = this;
    const i = this.code.loop.program.instructions[words]!;
    const steps = i.op === "lookup" && this.code.loop.operands[i.input]!.inner === "contiguous" ? this.facts.steps(i.a, part) : undefined;
    if (i.op === "lookup" && steps) {
      const places = steps.map((s, lane) => s * 4 + (from[lane]! >> 3));
      const [least, most] = [Math.min(...places), Math.max(...places)];
      const last = [1, 3, 7, 15].find((n) => n >= most - least);
      if (last !== undefined) {
        const all = this.entriesFrom(i, least, last);
        return bytes.shuffle(
          all,
          all,
          places.map((p) => p - least),
        );
      }
    }
    const four = (quad: number): readonly number[] => [0, 1, 2, 3].map((lane) => lane * 4 + (from[quad * 4 + lane]! >> 3));
    const eight = (half: number): Local => {
      const both = [...four(2 * half), ...four(2 * half + 1).map((at) => at + 16)];
      return bytes.shuffle(this.lane(words, part * 4 + 2 * half), this.lane(words, part * 4 + 2 * half + 1), [...both, ...both]);
    };
    return bytes.shuffle(eight(0), eight(1), [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23]);
  }

  private bitsOf({ words, from: all64, mask }: NonNullable<ReturnType<Facts["bitsOfBytes"]>>, part: number): Local {
    const { bytes } = this;
    const from = all64.slice(part * 16, part * 16 + 16);
    const all = this.remember(`${words} bytes ${from.map((s) => s >> 3).join()} ${part}`, () => this.bytesOfWords(words, from, part));
    const masked = (shift: number): Local =>
      bytes.op("bitAnd", shift === 0 ? all : bytes.shiftRight(all, shift, false), bytes.constant(new Array<number>(16).fill(mask)));
    const [one, other] = [...new Set(from.map((s) => s & 7))] as [number, number?];
    if (other === undefined) return masked(one);
    return bytes.select(bytes.constant([...from].map((s) => ((s & 7) === one ? -1 : 0))), masked(one), masked(other));
  }
}
