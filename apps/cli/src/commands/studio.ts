import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { engineThread, StudioServer } from "@weft/studio/server";
import { type Command, EXIT } from "../context.js";
import type { GlobalOptions } from "../global-options.js";
import type { DeviceName } from "../models/device-names.js";
import { aborted } from "../signals.js";

export interface StudioCommandOptions {
  readonly port: number;
  readonly runs: string;
  readonly device: DeviceName;
}

/** What the thread of the engine is started with. */
export interface StudioEngineData {
  /** Absolute path of the folder of runs. */
  readonly runs: string;
  readonly device: DeviceName;
  readonly options: Pick<GlobalOptions, "jobs" | "verbose">;
}

/** `weft studio`: until SIGINT or SIGTERM. Pages may come and go; runs go on. */
export const studio: Command<StudioCommandOptions, []> = async (_args, { port, runs, device }, { options, out, signal }) => {
  const { jobs, verbose } = options;
  const data: StudioEngineData = { runs: resolve(runs), device, options: { jobs, verbose } };
  let fail: (error: unknown) => void;
  const failed = new Promise<never>((_resolve, reject) => (fail = reject));
  // It is awaited below, when the server listens.
  failed.catch(() => undefined);
  const engine = engineThread(new URL("./studio-engine.js", import.meta.url), data, (error) => fail(error));
  const server = new StudioServer({
    engine,
    app: fileURLToPath(new URL("./studio/app", import.meta.url)),
    onError: (error) => out.warn(error instanceof Error ? error.message : String(error)),
  });
  try {
    const { link } = await server.listen(port);
    if (out.json) out.event({ event: "listening", link, runs: data.runs });
    else out.note(`Training Studio: ${link}\nruns are kept in ${data.runs}; Ctrl-C pauses and saves what is under way`);
    await Promise.race([aborted(signal), failed]);
    out.note("stopping: what is under way is saved");
  } finally {
    await server.close();
    await engine.close();
  }
  out.result({ runs: data.runs }, () => "✓ stopped");
  return EXIT.done;
};
