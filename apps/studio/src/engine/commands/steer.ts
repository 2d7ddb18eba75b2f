import type { Handler } from "./command-context.js";

/** Holds a run after the step under way. */
export const pause: Handler<"pause"> = ({ run }, { runs }) => (runs.get(run).pause(), {});

/** Goes on with a run. */
export const resume: Handler<"resume"> = ({ run }, { runs }) => (runs.get(run).resume(), {});

/** Ends a run after the step under way. */
export const stop: Handler<"stop"> = ({ run }, { runs }) => (runs.get(run).stop(), {});

/** Saves where a run stands. */
export const checkpoint: Handler<"checkpoint"> = ({ run }, { runs }) => (runs.get(run).save(), {});
