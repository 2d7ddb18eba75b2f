import { join } from "node:path";
import type { Suite } from "../../context.js";
import { assertDone, runProcess } from "../../process.js";
import { type Contestant, takeTurns } from "../../turns.js";
import { layOutInstalled } from "./installed.js";

const PACKAGES = ["tensor-core", "io-safetensors", "adapters-lora", "kernels-wasm", "registry", "models"];

export const startupSuite: Suite = {
  name: "startup",
  summary: "wall time of small commands, and of importing each package, against starting Node alone",
  async run(context) {
    const weft = join(context.root, "apps/cli/dist/weft.js");
    const adapter = join(context.root, "fixtures/peft/llama_lora");
    const installed = layOutInstalled(context.root, PACKAGES, join(context.folder, "installed"));
    const contestants = [
      node("node alone", ["--input-type=module", "-e", ""], installed),
      node("weft --version", [weft, "--version"], installed),
      node("weft inspect adapter", [weft, "inspect", adapter], installed),
      node("weft inspect adapter --json --hash", [weft, "inspect", adapter, "--json", "--hash"], installed),
      ...PACKAGES.map((name) => node(`import @weft/${name}`, ["--input-type=module", "-e", `await import("@weft/${name}")`], installed)),
    ];
    const times = await takeTurns(contestants, { rounds: context.quick ? 2 : Math.max(context.rounds, 10), seconds: 0 });
    const bare = times.get("node alone")!.best;
    for (const [name, { best, spread, rounds }] of times) {
      const alone = name === "node alone";
      context.emit({
        suite: "startup",
        case: name,
        metric: "wall time",
        value: best * 1000,
        unit: "ms",
        anchor: alone ? null : "node alone",
        ratio: alone ? null : bare / best,
        spread,
        rounds,
      });
    }
  },
};

/** A turn is one run of a process. */
function node(name: string, args: readonly string[], cwd: string): Contestant {
  return { name, turn: async () => assertDone(name, await runProcess(process.execPath, args, { cwd })).seconds };
}
