import type { Handler } from "./command-context.js";

/** Starts a training. */
export const start: Handler<"start"> = async ({ source, config }, { runs, device }) => {
  const { backend } = await device();
  return { run: runs.start(source, config, backend.name).summary() };
};
