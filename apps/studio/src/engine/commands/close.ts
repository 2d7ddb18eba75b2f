import type { Handler } from "./command-context.js";

/** Lets go of a document; runs of it go on. */
export const close: Handler<"close"> = ({ document }, { documents }) => {
  documents.close(document);
  return { documents: documents.list() };
};
