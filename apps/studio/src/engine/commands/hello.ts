import { deviceState } from "../device-state.js";
import type { Handler } from "./command-context.js";

/** Tells all that there is, and what has happened since an event. */
export const hello: Handler<"hello"> = async ({ since }, { host, log, documents, runs, device }) => {
  const state = deviceState(await device(), host.isolated);
  await runs.restored();
  log.replay(since);
  return { device: state, documents: documents.list(), runs: runs.summaries(), seq: log.seq };
};
