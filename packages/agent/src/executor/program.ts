/** The program of the workers, which lies beside the package's code. */
export const PROGRAM: URL = new URL("./worker/worker.js", import.meta.url);
