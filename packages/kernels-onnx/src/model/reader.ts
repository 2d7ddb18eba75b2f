/** One field of a message of Protocol Buffers that is itself a message or text. */
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

/** The fields of a number in messages. */
const inside = (messages: readonly Uint8Array[], number: number): Uint8Array[] =>
  messages.flatMap((bytes) =>
    fieldsOf(bytes)
      .filter((field) => field.number === number)
      .map((field) => field.bytes),
  );

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/** Names of the operators that a model calls, in order. */
export function operatorsOf(model: Uint8Array): string[] {
  return inside(inside(inside([model], 7), 1), 4).map(text);
}

/** What a model says of where each of its constants is that lies in a file, by the constant's name: `external_data` of ONNX, key and value. */
export function externalDataIn(model: Uint8Array): ReadonlyMap<string, readonly (readonly [key: string, value: string])[]> {
  const tensors = inside(inside([model], 7), 5);
  return new Map(
    tensors.map((tensor) => {
      const entries = inside([tensor], 13).map((entry) => [text(inside([entry], 1)[0]!), text(inside([entry], 2)[0]!)] as const);
      return [text(inside([tensor], 8)[0]!), entries];
    }),
  );
}
