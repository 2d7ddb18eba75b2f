/** A growing list of bytes with the encodings that WebAssembly uses. */
export class Writer {
  readonly bytes: number[] = [];

  raw(...bytes: number[]): this {
    for (const b of bytes) this.bytes.push(b);
    return this;
  }

  unsigned(value: number): this {
    for (value >>>= 0; value > 0x7f; value >>>= 7) this.bytes.push((value & 0x7f) | 0x80);
    this.bytes.push(value);
    return this;
  }

  signed(value: number): this {
    for (value |= 0; ; value >>= 7) {
      const last = (value >> 7 === 0 && (value & 0x40) === 0) || (value >> 7 === -1 && (value & 0x40) !== 0);
      this.bytes.push((value & 0x7f) | (last ? 0 : 0x80));
      if (last) return this;
    }
  }

  append(content: Writer): this {
    for (const b of content.bytes) this.bytes.push(b);
    return this;
  }

  /** Length first, then the content. */
  sized(content: Writer): this {
    return this.unsigned(content.bytes.length).append(content);
  }

  text(value: string): this {
    return this.sized(new Writer().raw(...new TextEncoder().encode(value)));
  }
}

const I32 = 0x7f;

/**
 * A module with one exported function `run` of so many i32 parameters over the imported shared memory `env.memory`
 * and the constant `env.scratch`.
 */
export function wasmModule(
  locals: readonly (readonly [count: number, type: number])[],
  code: Writer,
  parameters: number,
): Uint8Array<ArrayBuffer> {
  const module = new Writer().raw(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const section = (id: number, content: Writer): void => void module.raw(id).sized(content);
  section(1, new Writer().raw(1, 0x60, parameters, ...new Array<number>(parameters).fill(I32), 0));
  section(
    2,
    new Writer().raw(2).text("env").text("memory").raw(2, 3).unsigned(1).unsigned(65536).text("env").text("scratch").raw(3, I32, 0),
  );
  section(3, new Writer().raw(1, 0));
  section(7, new Writer().raw(1).text("run").raw(0, 0));
  const body = new Writer().unsigned(locals.length);
  for (const [count, type] of locals) body.unsigned(count).raw(type);
  body.append(code).raw(0x0b);
  section(10, new Writer().raw(1).sized(body));
  return Uint8Array.from(module.bytes);
}
