import { spawnSync } from "node:child_process";
import { existsSync, statfsSync, accessSync, constants } from "node:fs";
import { availableParallelism, cpus, freemem, homedir, totalmem } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { enableRelaxedSimd, hasRelaxedSimd } from "@weft/kernels-wasm/node";
import { type Command, EXIT } from "../context.js";
import { formatBytes } from "@weft/checkpoint/format";
import { table } from "../output.js";
import type { OnnxProbe } from "../onnx-probe.js";
import type { WebGpuProbe } from "../webgpu-probe.js";

type Level = "ok" | "warn" | "fail";

interface Finding {
  readonly what: string;
  readonly level: Level;
  readonly found: string;
  /** What to do, where something is not as it should be. */
  readonly remedy?: string;
}

/** `weft doctor`: what this machine offers. Exit code 1 if something that weft needs is missing. */
export const doctor: Command<object, []> = async (_args, _options, { out }) => {
  const findings = [node(), simd(), relaxedSimd(), threads(), wasmMemory(), memory(), webgpu(), onnxruntime(), disk(), cache()];
  const failed = findings.some(({ level }) => level === "fail");
  out.result({ ok: !failed, findings }, (style) => {
    const rows = findings.map(({ what, level, found, remedy }) => [level.padEnd(4), what, remedy ? `${found} — ${remedy}` : found]);
    const color = { ok: style.green, warn: style.yellow, fail: style.red };
    return table(rows)
      .split("\n")
      .map((line, i) => color[findings[i]!.level](line.slice(0, 4)) + line.slice(4))
      .join("\n");
  });
  return failed ? EXIT.failed : EXIT.done;
};

const OLDEST = [20, 19] as const;

function node(): Finding {
  const [major, minor] = process.versions.node.split(".").map(Number) as [number, number];
  const fine = major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1]);
  return {
    what: "Node",
    level: fine ? "ok" : "fail",
    found: `${process.versions.node} on ${process.platform} ${process.arch}`,
    ...(!fine && { remedy: `install Node ${OLDEST.join(".")} or later` }),
  };
}

const bytes = (hex: string): Uint8Array<ArrayBuffer> => Uint8Array.from(hex.match(/../g)!, (pair) => parseInt(pair, 16));
/** (func (result v128) i32.const 0 i8x16.splat i8x16.popcnt) */
const SIMD = "0061736d010000000105016000017b030201000a0a0108004100fd0ffd620b";

function simd(): Finding {
  const fine = WebAssembly.validate(bytes(SIMD));
  return {
    what: "WebAssembly SIMD",
    level: fine ? "ok" : "fail",
    found: fine ? "yes" : "no",
    ...(!fine && { remedy: "the processor or the Node build lacks it; weft needs it to compute" }),
  };
}

function relaxedSimd(): Finding {
  const plain = hasRelaxedSimd();
  if (!plain) enableRelaxedSimd();
  const fine = hasRelaxedSimd();
  return {
    what: "relaxed SIMD",
    level: fine ? "ok" : "warn",
    found: plain ? "yes" : fine ? "yes, switched on when needed" : "no",
    ...(!fine && { remedy: "merging is slower without fused multiply-add; the processor or the Node build lacks it" }),
  };
}

function threads(): Finding {
  const n = availableParallelism();
  return {
    what: "threads",
    level: n > 1 ? "ok" : "warn",
    found: `${n} (${cpus()[0]?.model.trim() ?? "unknown processor"})`,
    ...(n === 1 && { remedy: "one core only: jobs run on one thread" }),
  };
}

function wasmMemory(): Finding {
  try {
    const m = new WebAssembly.Memory({ initial: 1, maximum: 65536, shared: true });
    m.grow(1024);
    return { what: "WebAssembly memory", level: "ok", found: "shared, grows to 4.3 GB" };
  } catch (error) {
    return {
      what: "WebAssembly memory",
      level: "fail",
      found: (error as Error).message,
      remedy: "raise the limit on virtual memory (ulimit -v)",
    };
  }
}

function memory(): Finding {
  const free = freemem();
  const fine = free > 512e6;
  return {
    what: "memory",
    level: fine ? "ok" : "warn",
    found: `${formatBytes(free)} free of ${formatBytes(totalmem())}`,
    ...(!fine && { remedy: "lower --max-memory and --jobs" }),
  };
}

/** Longer than any driver takes to start. */
const PROBE_MS = 30_000;

/** What a probe prints in a process of its own; undefined if it ends badly. */
function probed<T>(name: string, ...args: readonly string[]): T | undefined {
  const program = fileURLToPath(new URL(`./${name}.js`, import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [program, ...args], {
    encoding: "utf8",
    timeout: PROBE_MS,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return status === 0 ? (JSON.parse(stdout) as T) : undefined;
}

function webgpu(): Finding {
  const what = "WebGPU";
  const probe = probed<WebGpuProbe>("webgpu-probe");
  if (!probe)
    return {
      what,
      level: "warn",
      found: "package installed, does not start",
      remedy: "update the driver; everything runs on the CPU meanwhile",
    };
  if (!probe.installed) return { what, level: "ok", found: "package not installed; everything runs on the CPU" };
  if (probe.adapter !== null) return { what, level: "ok", found: probe.adapter };
  return { what, level: "warn", found: "package installed, no adapter found", remedy: "install a Vulkan, Metal or D3D12 driver" };
}

const starts = (provider: string): OnnxProbe | undefined => probed<OnnxProbe>("onnx-probe", provider);

/** The native CPU backend of the library; the commands of this program compute on WebAssembly, whose results are the same bits everywhere. */
function onnxruntime(): Finding {
  const what = "onnxruntime";
  const probe = starts("cpu");
  if (!probe) return { what, level: "warn", found: "installed, does not start", remedy: "everything runs on WebAssembly meanwhile" };
  if ("version" in probe) {
    const states = probe.available.map((name) => {
      const there = name === "cpu" ? probe : starts(name);
      return there && "version" in there ? name : `${name} does not start`;
    });
    const found = `${probe.version}, for training in f32 and long prompts at native speed, with --device onnx; providers: ${states.join(", ")}`;
    return { what, level: "ok", found };
  }
  const gain = "training in f32 and long prompts become up to three times as fast with --device onnx after";
  if (probe.kind === "no-onnxruntime")
    return { what, level: "ok", found: "not installed; everything runs on WebAssembly", remedy: `${gain} ${probe.hint}` };
  return { what, level: "warn", found: `${probe.message}; everything runs on WebAssembly`, ...(probe.hint && { remedy: probe.hint }) };
}

function disk(): Finding {
  const { bavail, bsize } = statfsSync(process.cwd());
  const free = bavail * bsize;
  const fine = free > 10e9;
  return {
    what: "disk here",
    level: fine ? "ok" : "warn",
    found: `${formatBytes(free)} free`,
    ...(!fine && { remedy: "a merged checkpoint takes as much as its base" }),
  };
}

function cache(): Finding {
  const path = process.env.HF_HUB_CACHE ?? join(process.env.HF_HOME ?? join(homedir(), ".cache", "huggingface"), "hub");
  if (!existsSync(path)) return { what: "hub cache", level: "ok", found: `none at ${path}` };
  try {
    accessSync(path, constants.R_OK);
    return { what: "hub cache", level: "ok", found: path };
  } catch {
    return { what: "hub cache", level: "warn", found: `${path} is not readable`, remedy: "check its owner, or set HF_HOME" };
  }
}
