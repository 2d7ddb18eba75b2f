// The engine of `weft studio`, in a thread beside its server.
import { workerData } from "node:worker_threads";
import { FolderRunStore, serveEngine } from "@weft/studio/server/engine";
import type { StudioEngineData } from "./commands/studio.js";
import { openDevice } from "./models/open-device.js";

const { runs, device, options } = workerData as StudioEngineData;
serveEngine({
  openDevice: () => openDevice(device, { options, out: { note: (line) => void process.stderr.write(`${line}\n`) } }),
  isolated: true,
  store: new FolderRunStore(runs),
  tinyHome: new URL("studio/", import.meta.url),
});
