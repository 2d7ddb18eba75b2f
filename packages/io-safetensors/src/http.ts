// Files behind URLs. An entry of its own, so that a page that opens what it has does not load it.
export { absoluteUrl, bytesOfUrl, type HttpOptions, MAX_WHOLE_BODY_BYTES } from "./bytes-of-url.js";
