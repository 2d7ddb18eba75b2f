import { expect } from "vitest";

/** vitest compares typed arrays element by element, 5 µs each. Those of the same type and bytes are equal; for others the comparison of vitest tells where they differ. */
function haveEqualBytes(a: unknown, b: unknown): boolean | undefined {
  if (!ArrayBuffer.isView(a) || !ArrayBuffer.isView(b)) return undefined;
  if (a.constructor !== b.constructor || a.byteLength !== b.byteLength) return undefined;
  const [x, y] = [a, b].map((view) => new Uint8Array(view.buffer, view.byteOffset, view.byteLength)) as [Uint8Array, Uint8Array];
  for (let i = 0; i < x.length; i++) if (x[i] !== y[i]) return undefined;
  return true;
}

expect.addEqualityTesters([haveEqualBytes]);
