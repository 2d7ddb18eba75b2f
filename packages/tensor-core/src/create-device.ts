import type { Backend } from "./backend.js";
import { Device, type DeviceOptions } from "./device.js";
import { CapabilityError, DeviceError } from "./errors.js";

/** Starts a backend; rejects with a CapabilityError or DeviceError where there is none. */
export type OpenBackend = () => Backend | Promise<Backend>;

/** Options of the device, and who is told of backends that are passed over. */
export interface CreateDeviceOptions extends DeviceOptions {
  /** Told of each backend that `"auto"` passes over, in one line: its name, why it is not there, and what would help. */
  readonly skipped?: (line: string) => void;
}

/**
 * The device of a given name, or with `"auto"` the first that is there. Which backends exist is the caller's choice, so that a program holds
 * only those that it names; a backend that may be missing is imported in its function:
 * ```ts
 * const device = await createDevice("auto", {
 *   webgpu: async () => (await import("@weft/kernels-webgpu/node")).createNodeWebGpuBackend({ software: false }),
 *   onnx: () => createOnnxBackend(),
 *   cpu: () => createWasmBackend(),
 * });
 * ```
 * @param name `"auto"` or a name in `backends`
 * @param backends by name, the preferred first
 * @param options of the device, whichever is opened
 * @throws DeviceError kind `no-device` if no backend has that name, or the backends asked for are not there (the last one's error is the cause)
 */
export async function createDevice(
  name: string,
  backends: Readonly<Record<string, OpenBackend>>,
  { skipped, ...options }: CreateDeviceOptions = {},
): Promise<Device> {
  const names = Object.keys(backends);
  const wanted = name === "auto" ? names : names.filter((n) => n === name);
  if (wanted.length === 0)
    throw new DeviceError(`there is no device "${name}"`, { kind: "no-device", hint: `use one of ${["auto", ...names].join(", ")}` });
  const missing: string[] = [];
  const remedies: string[] = [];
  let cause: unknown;
  for (const each of wanted) {
    try {
      return new Device(await backends[each]!(), options);
    } catch (error) {
      if (!(error instanceof CapabilityError || error instanceof DeviceError)) throw error;
      missing.push(`${each}: ${error.message}`);
      if (error.hint !== undefined) remedies.push(wanted.length > 1 ? `${each}: ${error.hint}` : error.hint);
      if (name === "auto") skipped?.(`${each}: ${error.message}${error.hint === undefined ? "" : ` (${error.hint})`}`);
      cause = error;
    }
  }
  const others = names.filter((n) => !wanted.includes(n));
  const instead = others.length > 0 ? [`use ${others.join(" or ")}, or "auto"`] : [];
  const hint = [...(remedies.length > 0 ? [remedies.join("; ")] : []), ...instead].join("; or ");
  throw new DeviceError(`no device could be opened; ${missing.join("; ")}`, {
    kind: "no-device",
    cause,
    ...(hint !== "" && { hint }),
  });
}
