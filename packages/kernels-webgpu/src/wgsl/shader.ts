import { CapabilityError, type DType, type Operand } from "@weft/tensor-core";
import type { Binding, Dispatch, KernelLimits, LowerContext } from "../kernels/kernel.js";
import { libraryFunction } from "./library.js";
import { decodeBits, encodeValue, lanes, registerType, storageType } from "./storage.js";

type Access = "read" | "read_write" | "atomic";

interface Slot {
  readonly name: string;
  readonly dtype: DType;
  readonly binding: Omit<Binding, "writable">;
  access: Access;
}

/** The place of a thread in its subgroup, and of that in the workgroup: there only where functions take it. */
const SUBGROUP_BUILTINS =
  ", @builtin(subgroup_invocation_id) sg_lane: u32, @builtin(subgroup_size) sg_size: u32, @builtin(subgroup_id) sg_id: u32, @builtin(num_subgroups) sg_count: u32";

/** One tensor of a shader: WGSL for its elements. Element numbers count from the start of the buffer, as `Operand.offset` does. */
export interface TensorRef {
  readonly dtype: DType;
  /** f32 or i32: element `i` (u32 expression) as a register value. */
  load(i: string): string;
  /** u32: the stored bits of element `i`. */
  loadBits(i: string): string;
  /** vec2<f32> or vec4<f32>: all elements of a packed float dtype that share the word with element `i`, out of one load. */
  loadWord(i: string): string;
}

export interface OutputRef extends TensorRef {
  /** A statement that stores a register value at element `i`; packed dtypes by two atomic operations on their own bits. */
  store(i: string, value: string): string;
  storeBits(i: string, bits: string): string;
  /** A statement that stores the lanes of word `w` that `mask` has set (packed dtypes; this thread alone writes the word). */
  storeWord(w: string, word: string, mask: string): string;
}

/**
 * Collects what a compute shader is made of (bindings, parameters, functions, body) and prints it. Every number that depends on
 * shapes goes into the parameters, so that shaders are shared by all shapes: the text is the cache key of the pipeline.
 */
export class Shader {
  readonly workgroup: number;
  private readonly slots: Slot[] = [];
  private readonly params: { readonly type: "u32" | "f32"; readonly value: number }[] = [];
  private readonly declarations: string[] = [];
  private readonly context: LowerContext;
  private readonly name: string;

  constructor(name: string, context: LowerContext, workgroup = 64) {
    this.name = name;
    this.context = context;
    this.workgroup = workgroup;
  }

  /** A parameter of type u32; negative values wrap, so that strides may be negative. */
  u32(value: number): string {
    return this.param("u32", value);
  }

  /** A parameter of type f32, also for infinities, which WGSL has no literals for. */
  f32(value: number): string {
    return this.param("f32", value);
  }

  /** A constant of a register type. */
  constant(value: number, dtype: DType): string {
    return registerType(dtype) === "f32" ? this.f32(value) : `bitcast<i32>(${this.u32(value)})`;
  }

  input(operand: Operand): TensorRef {
    return this.reference(this.slot(operand, "read"));
  }

  output(operand: Operand): OutputRef {
    const slot = this.slot(operand, "read_write");
    const { name, dtype } = slot;
    const bits = (lane: string): string => encodeValue(dtype, lane);
    const storeBits = (i: string, value: string): string => {
      if (lanes(dtype) === 1) return `${name}[${i}] = ${dtype === "f32" ? `bitcast<f32>(${value})` : `bitcast<i32>(${value})`};`;
      slot.access = "atomic";
      return `put_${name}(${i}, ${value});`;
    };
    return {
      ...this.reference(slot),
      storeBits,
      store: (i, value) => (lanes(dtype) === 1 ? `${name}[${i}] = ${value};` : storeBits(i, bits(value))),
      storeWord: (w, word, mask) => `word_${name}(${w}, ${word}, ${mask});`,
    };
  }

  /** Module-level text: workgroup variables, functions. */
  declare(text: string): void {
    if (!this.declarations.includes(text)) this.declarations.push(text);
  }

  get limits(): KernelLimits {
    return this.context.limits;
  }

  /** Number of storage buffers so far. */
  get bindings(): number {
    return this.slots.length;
  }

  /**
   * The finished call. In `body`, `group` is the number of the workgroup (a u32, the same for all its threads), `lid` the
   * thread in it and `tid` = group · workgroup size + lid. Groups beyond `groups` may run: the body must guard.
   */
  dispatch(body: string, groups: number): Dispatch {
    const { maxGroups, maxStorageBuffers } = this.context.limits;
    if (this.slots.length > maxStorageBuffers) {
      throw new CapabilityError(`kernel ${this.name} binds ${this.slots.length} buffers, the GPU allows ${maxStorageBuffers}`, {
        kind: "too-many-bindings",
      });
    }
    const y = Math.ceil(groups / maxGroups);
    const x = Math.ceil(groups / y);
    if (y > maxGroups)
      throw new CapabilityError(`kernel ${this.name} needs ${groups} workgroups, the GPU allows ${maxGroups}²`, {
        kind: "too-many-groups",
      });
    return {
      name: this.name,
      source: this.print(body),
      params: this.packParams(),
      bindings: this.slots.map((s) => ({ ...s.binding, writable: s.access !== "read" })),
      groups: [x, y, 1],
    };
  }

  private param(type: "u32" | "f32", value: number): string {
    return `P.p${this.params.push({ type, value }) - 1}`;
  }

  private slot(operand: Operand, access: "read" | "read_write"): Slot {
    const binding = this.context.binding(operand.buffer);
    let slot = this.slots.find((s) => s.binding.key === binding.key && s.dtype === operand.dtype);
    if (!slot) {
      // One buffer may not be bound as read-only and as writable in one dispatch: what lies in the arena is always writable.
      slot = { name: `b${this.slots.length}`, dtype: operand.dtype, binding, access: binding.shared ? "read_write" : "read" };
      this.slots.push(slot);
    }
    if (access === "read_write" && slot.access === "read") slot.access = "read_write";
    return slot;
  }

  private reference({ name, dtype }: Slot): TensorRef {
    const bits = (i: string): string => (lanes(dtype) === 1 ? `bitcast<u32>(${name}[${i}])` : `bits_${name}(${i})`);
    const loadWord = (i: string): string => `lanes_${name}(${i})`;
    return { dtype, loadWord, loadBits: bits, load: (i) => (lanes(dtype) === 1 ? `${name}[${i}]` : decodeBits(dtype, bits(i))) };
  }

  private packParams(): Uint8Array<ArrayBuffer> {
    const view = new DataView(new ArrayBuffer(Math.max(16, Math.ceil(this.params.length / 4) * 16)));
    this.params.forEach(({ type, value }, i) =>
      type === "f32" ? view.setFloat32(4 * i, value, true) : view.setUint32(4 * i, value >>> 0, true),
    );
    return new Uint8Array(view.buffer);
  }

  private slotText({ name, dtype, access }: Slot, at: number, used: string): string {
    const element = access === "atomic" ? "atomic<u32>" : storageType(dtype);
    const lines = [`@group(0) @binding(${at + 1}) var<storage, ${access === "read" ? "read" : "read_write"}> ${name}: array<${element}>;`];
    const e = lanes(dtype);
    const width = 32 / e;
    const place = (i: string): string => `(${i} % ${e}u) * ${width}u`;
    const full = `0x${"f".repeat(width / 4)}u`;
    const word = (i: string): string => (access === "atomic" ? `atomicLoad(&${name}[${i}])` : `${name}[${i}]`);
    const write = (i: string, v: string): string => (access === "atomic" ? `atomicStore(&${name}[${i}], ${v})` : `${name}[${i}] = ${v}`);
    if (used.includes(`bits_${name}(`))
      lines.push(`fn bits_${name}(i: u32) -> u32 { return (${word(`i / ${e}u`)} >> (${place("i")})) & ${full}; }`);
    if (used.includes(`lanes_${name}(`)) {
      const all = Array.from({ length: e }, (_, l) => decodeBits(dtype, `(w >> ${l * width}u) & ${full}`));
      lines.push(
        `fn lanes_${name}(i: u32) -> vec${e}<f32> {\n  let w = ${word(`i / ${e}u`)};\n  return vec${e}<f32>(${all.join(", ")});\n}`,
      );
    }
    if (used.includes(`put_${name}(`))
      lines.push(
        `fn put_${name}(i: u32, v: u32) {\n  let s = ${place("i")};\n  atomicAnd(&${name}[i / ${e}u], ~(${full} << s));\n  atomicOr(&${name}[i / ${e}u], v << s);\n}`,
      );
    if (used.includes(`word_${name}(`)) {
      lines.push(
        `fn word_${name}(w: u32, v: u32, mask: u32) {\n  if (mask == 0xffffffffu) { ${write("w", "v")}; } else if (mask != 0u) { ${write("w", `(${word("w")} & ~mask) | v`)}; }\n}`,
      );
    }
    return lines.join("\n");
  }

  private print(body: string): string {
    const own = [...this.declarations, body].join("\n");
    const head =
      this.params.length > 0
        ? [`struct Params { ${this.params.map((p, i) => `p${i}: ${p.type}`).join(", ")} }`, "@group(0) @binding(0) var<uniform> P: Params;"]
        : [];
    const subgroups = own.includes("sg_lane");
    const main = `@compute @workgroup_size(${this.workgroup})
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) wn: vec3<u32>, @builtin(local_invocation_index) lid: u32${subgroups ? SUBGROUP_BUILTINS : ""}) {
let group = wid.x + wid.y * wn.x;
let tid = group * ${this.workgroup}u + lid;
${body}
}`;
    const buffers = this.slots.map((s, i) => this.slotText(s, i, own));
    return [
      ...(own.includes("<f16>") ? ["enable f16;"] : []),
      ...(subgroups ? ["enable subgroups;"] : []),
      ...head,
      ...buffers,
      ...libraryFor([...buffers, own].join("\n")),
      ...this.declarations,
      main,
    ]
      .join("\n")
      .replace(/\n{2,}/g, "\n");
  }
}

/** The library functions that a text calls, with those that they call. */
function libraryFor(text: string): string[] {
  const found = new Map<string, string>();
  const visit = (part: string): void => {
    for (const [name] of part.matchAll(/\bw_\w+(?=\()/g)) {
      const source = libraryFunction(name);
      if (source === undefined || found.has(name)) continue;
      found.set(name, source);
      visit(source);
    }
  };
  visit(text);
  return [...found.values()];
}
