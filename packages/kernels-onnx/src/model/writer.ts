/** Writes messages of Protocol Buffers: fields one after the other, nested messages as bytes of their own. Large byte fields are kept as they are until `finish`. */
export class Writer {
  private readonly parts: Uint8Array[] = [];
  private partBytes = 0;
  private bytes = new Uint8Array(64);
  private used = 0;

  get length(): number {
    return this.partBytes + this.used;
  }

  /** An int64 or enum field; negative numbers take ten bytes, as the format has it. */
  int(field: number, value: number): void {
    this.tag(field, 0);
    if (value >= 0) return this.varint(value);
    for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
      if (rest < 128n) return this.byte(Number(rest));
      this.byte(Number(rest & 127n) | 128);
    }
  }

  float(field: number, value: number): void {
    this.tag(field, 5);
    this.raw(new Uint8Array(Float32Array.of(value).buffer));
  }

  /** A text of ASCII characters, as all names in a model are. */
  text(field: number, value: string): void {
    this.tag(field, 2);
    this.varint(value.length);
    this.reserve(value.length);
    for (let i = 0; i < value.length; i++) this.bytes[this.used++] = value.charCodeAt(i);
  }

  data(field: number, value: Uint8Array): void {
    this.tag(field, 2);
    this.varint(value.length);
    this.raw(value);
  }

  message(field: number, value: Writer): void {
    this.tag(field, 2);
    this.varint(value.length);
    this.append(value);
  }

  /** The fields of another message, behind those of this one. */
  append(other: Writer): void {
    for (const part of other.parts) this.raw(part);
    this.raw(other.bytes.subarray(0, other.used));
  }

  /** All that was written. */
  finish(): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(this.length);
    let at = 0;
    for (const part of [...this.parts, this.bytes.subarray(0, this.used)]) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }

  private tag(field: number, wire: number): void {
    this.varint(field * 8 + wire);
  }

  private varint(value: number): void {
    let rest = value;
    for (; rest > 127; rest = Math.floor(rest / 128)) this.byte((rest % 128) | 128);
    this.byte(rest);
  }

  private byte(value: number): void {
    this.reserve(1);
    this.bytes[this.used++] = value;
  }

  private raw(value: Uint8Array): void {
    if (value.length > 4096) {
      this.parts.push(this.bytes.slice(0, this.used), value);
      this.partBytes += this.used + value.length;
      this.used = 0;
      return;
    }
    this.reserve(value.length);
    this.bytes.set(value, this.used);
    this.used += value.length;
  }

  private reserve(count: number): void {
    if (this.used + count <= this.bytes.length) return;
    const larger = new Uint8Array(2 * this.bytes.length + count);
    larger.set(this.bytes.subarray(0, this.used));
    this.bytes = larger;
  }
}
