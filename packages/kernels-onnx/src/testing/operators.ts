/** One field of a message of protocol buffers that is itself a message or text. */
interface Field {
  readonly number: number;
  readonly bytes: Uint8Array;
}

/** The fields of a message that have a length; numbers are passed over. */
function fieldsOf(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = message[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
  };
  while (at < message.length) {
    const key = varint();
    const wire = key % 8;
    if (wire === 0) varint();
    else if (wire === 5) at += 4;
    else {
      const length = varint();
      fields.push({ number: Math.floor(key / 8), bytes: message.subarray(at, at + length) });
      at += length;
    }
  }
  return fields;
}

/** Names of the operators that a model calls, in order. */
export function operatorsOf(model: Uint8Array): string[] {
  const inside = (messages: readonly Uint8Array[], number: number): Uint8Array[] =>
    messages.flatMap((bytes) =>
      fieldsOf(bytes)
        .filter((field) => field.number === number)
        .map((field) => field.bytes),
    );
  const nodes = inside(inside([model], 7), 1);
  return inside(nodes, 4).map((bytes) => new TextDecoder().decode(bytes));
}
