import { compile, Device, type Executable, mul, type Tensor } from "@weft/tensor-core";
import { expect, it } from "vitest";
import { createOnnxBackend } from "./backend.js";
import { hasRuntime, REASON } from "./testing/runtime.js";

/** By what the executable asks the thread for. */
const sessionOf = (executable: Executable): number => (executable as unknown as { session: { number: number } }).session.number;

const scaled = (t: Tensor, unit: string): Tensor => mul(t, unit === "" ? 2 : 3);

it.skipIf(!hasRuntime())(
  `plans that come out as one model are run by one session, for as long as one of them is there${REASON}`,
  async () => {
    using device = new Device(await createOnnxBackend({ threads: 1 }));
    const [layer, other, last] = [compile(scaled, { device }), compile(scaled, { device }), compile(scaled, { device })];
    const x = device.tensor([1, 2]);
    const made = [await layer.prepare(x, "a"), await layer.prepare(x, "b"), await other.prepare(x, "a")];
    expect(new Set(made.map(({ executable }) => sessionOf(executable))).size).toBe(1);
    expect(sessionOf((await layer.prepare(x, "")).executable)).not.toBe(sessionOf(made[0]!.executable));
    layer.dispose();
    expect([...(await (await other(x, "a")).data())]).toEqual([3, 6]);
    other.dispose();
    expect(sessionOf((await last.prepare(x, "a")).executable)).not.toBe(sessionOf(made[0]!.executable));
    expect([...(await (await last(x, "a")).data())]).toEqual([3, 6]);
  },
);
