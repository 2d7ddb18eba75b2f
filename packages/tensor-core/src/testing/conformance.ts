import type { Backend } from "../backend.js";
import { Device, referenceDevice } from "../device.js";
import type { DType } from "../dtype.js";
import type { Tensor } from "../graph.js";
import { type ConformanceCase, type Tolerance, ulp } from "./case.js";
import { CHECKED_INDICES } from "./checked-indices.js";
import { CASES } from "./cases/index.js";
import { DONATION } from "./donation.js";
import { OWNERSHIP } from "./ownership.js";
import { SOURCES } from "./sources.js";
import { watch } from "./watch.js";
import { firstDifference, gradientsOf, outputsOf, valuesOf } from "./evaluate.js";

/** One test, for any framework: `run` rejects with what differs. */
export interface Check {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/** The checks of a backend, and what to call after the last of them. */
export interface Conformance {
  readonly checks: readonly Check[];
  /** Disposes of the backend, if a check has opened it. */
  readonly close: () => Promise<void>;
}

/**
 * The checks that a backend passes if it computes what the reference does, one per case, of results and of gradients; and if it keeps its memory
 * as `OWNERSHIP`, `DONATION` and `SOURCES` say, and indices are checked as `CHECKED_INDICES` says.
 * @param open makes the backend; called once, at the first check
 * @param cases those of every primitive and composite of this package if not given
 */
export function conformance(open: () => Backend | Promise<Backend>, cases: readonly ConformanceCase[] = CASES): Conformance {
  let device: Promise<Device> | undefined;
  const opened = async (): Promise<Device> => new Device(await open());
  const ready = (): Promise<Device> => (device ??= opened());
  return {
    checks: [
      ...cases.map((c) => ({ name: c.name, run: async () => checkCase(await ready(), c) })),
      ...Object.entries({ memory: [...OWNERSHIP, ...DONATION, ...SOURCES], "checked indices": CHECKED_INDICES }).flatMap(([group, all]) =>
        all.map(({ name, run }) => ({
          name: `${group}: ${name}`,
          // Counted for itself: the collector may free what other checks have left.
          run: async () => {
            const memory = watch((await ready()).backend);
            await run(new Device(memory.backend), memory);
          },
        })),
      ),
    ],
    close: async () => (await device)?.dispose(),
  };
}

/** What the reference computes for a case. */
interface Expected {
  readonly outputs: readonly ArrayLike<number>[];
  /** Of the gradients that are not zero by construction. */
  readonly gradients: readonly ArrayLike<number>[];
}

/** Computed once for all backends that a program checks. */
const expectations = new WeakMap<ConformanceCase, Promise<Expected>>();

async function computeExpected(c: ConformanceCase): Promise<Expected> {
  const reference = referenceDevice();
  const wanted = outputsOf(c, reference);
  return {
    outputs: c.expected ?? (await valuesOf(reference, wanted)),
    gradients: c.noGradient ? [] : await valuesOf(reference, gradientsOf(wanted, reference).filter(flows)),
  };
}

function expectedOf(c: ConformanceCase): Promise<Expected> {
  const known = expectations.get(c) ?? computeExpected(c);
  expectations.set(c, known);
  return known;
}

async function checkCase(device: Device, c: ConformanceCase): Promise<void> {
  const expected = await expectedOf(c);
  const got = outputsOf(c, device);
  demand(c, "output", got, await valuesOf(device, got), expected.outputs);
  if (expected.gradients.length === 0) return;
  const slopes = gradientsOf(got, device).filter(flows);
  if (slopes.length !== expected.gradients.length)
    throw new Error(`${c.name}: ${slopes.length} gradients, expected ${expected.gradients.length}`);
  demand(c, "gradient", slopes, await valuesOf(device, slopes), expected.gradients, gradientTolerance);
}

/** False for a gradient that is zero by construction. */
const flows = (dx: Tensor): boolean => dx.node.op !== "full";

/**
 * Of a gradient: a few times that of the result, one rounding to its dtype, and twenty f32 roundings, all in parts of its largest element, since
 * small elements are sums of large terms.
 */
function gradientTolerance({ relative, absolute }: Tolerance, expected: ArrayLike<number>, dtype: DType): Omit<Tolerance, "reason"> {
  const largest = Array.from(expected).reduce((top, v) => (Number.isFinite(v) ? Math.max(top, Math.abs(v)) : top), 1);
  const share = 4 * (relative + absolute) + 20 * ulp("f32") + (dtype === "f32" ? 0 : 2 * ulp(dtype));
  return { relative: 0, absolute: share * largest };
}

/** @throws Error that names the case and the first element that differs by more than the tolerance */
function demand(
  { name, tolerance }: ConformanceCase,
  part: string,
  tensors: readonly Tensor[],
  got: readonly Float64Array[],
  expected: readonly ArrayLike<number>[],
  toleranceOf: (t: Tolerance, expected: ArrayLike<number>, dtype: DType) => Omit<Tolerance, "reason"> = (t) => t,
): void {
  tensors.forEach((t, k) => {
    const allowed = toleranceOf(tolerance, expected[k]!, t.dtype);
    const difference = firstDifference(got[k]!, expected[k]!, allowed);
    if (!difference) return;
    throw new Error(
      `${name}: ${part} ${k} (${t.dtype}[${t.shape}]): ${difference}; allowed are ${allowed.absolute} + ${allowed.relative} of it: ${tolerance.reason}`,
    );
  });
}
